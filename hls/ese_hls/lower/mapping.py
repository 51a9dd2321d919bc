"""Mapping of a program to an engine: the smallest design that holds its chains, and the contents of its memories."""

from __future__ import annotations

from dataclasses import dataclass

from ese_hls.encode import StorageChoice, encoder, fit_design
from ese_hls.lower.options import ConversionOptions
from ese_host.boards import load_board
from ese_host.image import MAX_PES, Design, SizeError
from ese_host.ir.program import Program

DEFAULT_PES = 8
"""Processing elements of a design, unless the user or the model's size asks for others."""
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
    pes = first = options.pes or DEFAULT_PES
    cause: SizeError | None = None
    while True:
        try:
            mapping = _with_pes(program, options, pes)
            break
        except SizeError as error:
            cause = cause or error
            if not error.shared:
                raise SizeError(f"{error}: make the model smaller, or several models of it", shared=False) from error
            if pes == MAX_PES:
                raise SizeError(f"{cause}; {pes} PEs are not enough either: prune the model more") from cause
            pes = min(2 * pes, MAX_PES)
    if cause is None:
        return mapping
    if options.pes is not None:
        raise SizeError(f"{cause}: set {PES_KEY} to {pes}, leave it out, or prune the model more") from cause
    return EngineMapping(mapping.design, mapping.packed, f"{pes} PEs instead of {first}: {cause}")


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
