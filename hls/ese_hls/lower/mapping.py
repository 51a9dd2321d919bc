# SPDX-License-Identifier: Apache-2.0
"""Mapping of a program to an engine: the smallest design that holds its chains, and the contents of its memories."""

from __future__ import annotations

from dataclasses import dataclass

from ese_hls.encode import StorageChoice, encoder, fit_design
from ese_hls.lower.conversion_log import ConversionLog
from ese_hls.lower.options import ConversionOptions
from ese_host.boards import load_board
from ese_host.image import DEFAULT_PES, Design, SizeError, idle_pes, sizes_of, with_enough_pes
from ese_host.ir.program import Program

PES_KEY = "hls_config['Model']['PEs']"


@dataclass(frozen=True, eq=False)
class EngineMapping:
    """The design for a program, and the contents of its memories.

    Attributes:
        design: the parameters of the engine.
        packed: the filled memories of each chain.
        note: why the design has more PEs than by default; "" if it has not.
    """

    design: Design
    packed: tuple[encoder.FilledMemories, ...]
    note: str = ""

    @property
    def choices(self) -> tuple[StorageChoice, ...]:
        """For each matrix, whether it is stored sparse or full, and why."""
        return tuple(choice for part in self.packed for choice in part.choices)


def map_program(program: Program, options: ConversionOptions) -> EngineMapping:
    """Choose a design for a program, and fill its memories.

    If the user has not chosen the number of PEs, a program that is too large for the default gets twice as many, or
    four times, and so on.

    Raises:
        CapacityError: if the program is too large for an engine, or for one with as many PEs as the user chose; the
            message then names a number that is enough.
        UnsupportedError: if no engine runs the program.
    """
    try:
        mapping, pes, cause = with_enough_pes(options.pes, lambda pes: _with_pes(program, options, pes))
    except SizeError as error:
        advice = "prune the model more" if error.shared else "make the model smaller, or several models of it"
        raise SizeError(f"{error}: {advice}", shared=error.shared) from error
    if cause is None:
        return mapping
    if options.pes is not None:
        raise SizeError(f"{cause}: set {PES_KEY} to {pes}, leave it out, or prune the model more") from cause
    return EngineMapping(mapping.design, mapping.packed, f"{pes} PEs instead of {DEFAULT_PES}: {cause}")


def warn_of_idle_pes(program: Program, design: Design, options: ConversionOptions, log: ConversionLog) -> None:
    """Warn if PEs hold no weight of the program's largest layer, or note it if the user has not chosen their number.

    Args:
        program: the program.
        design: the design that it was mapped to.
        options: the user's choices.
        log: the log of the conversion.
    """
    sizes = {
        layer.name: size
        for chain in program.chains
        for layer, size in zip(chain.network.layers, sizes_of(chain.network), strict=True)
    }
    layer, sentence = idle_pes(sizes, design.pes)
    if not sentence:
        return
    if options.pes is None:
        log.notes.append(sentence)
    else:
        log.warn(f"{sentence} ({PES_KEY})", layer, PES_KEY, 0.0)


def _with_pes(program: Program, options: ConversionOptions, pes: int) -> EngineMapping:
    return EngineMapping(
        *fit_design.fit(
            [chain.network for chain in program.chains],
            pes=pes,
            gap_bits=options.gap_bits,
            acc_banks=options.acc_banks,
            cells_per_cycle=options.cells_per_cycle,
            clock_mhz=options.clock_mhz or load_board(options.board).clock_mhz,
            mode=options.mode,
            fifo_depth=options.fifo_depth,
            storage=options.storage,
            window=options.window_of(pes),
        )
    )
