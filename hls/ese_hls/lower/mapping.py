"""Mapping of a program to an engine: the smallest design that holds its chains, and the contents of its memories."""

from __future__ import annotations

from dataclasses import dataclass

from ese_hls.encode import StorageChoice, encoder, fit_design
from ese_hls.lower.options import ConversionOptions
from ese_host.boards import load_board
from ese_host.image import Design
from ese_host.ir.program import Program


@dataclass(frozen=True, eq=False)
class EngineMapping:
    """The design for a program, and the contents of its memories.

    Attributes:
        design: the parameters of the engine.
        packed: the filled memories of each chain.
    """

    design: Design
    packed: tuple[encoder.FilledMemories, ...]

    @property
    def choices(self) -> tuple[StorageChoice, ...]:
        """For each matrix, whether it is stored sparse or full, and why."""
        return tuple(choice for part in self.packed for choice in part.choices)


def map_program(program: Program, options: ConversionOptions) -> EngineMapping:
    """Choose a design for a program, and fill its memories.

    Raises:
        CapacityError: if the program is too large for an engine.
        UnsupportedError: if no engine runs the program.
    """
    return EngineMapping(
        *fit_design.fit(
            [chain.network for chain in program.chains],
            pes=options.pes,
            gap_bits=options.gap_bits,
            acc_banks=options.acc_banks,
            cells_per_cycle=options.element_units,
            clock_mhz=options.clock_mhz or load_board(options.board).clock_mhz,
            mode=options.mode,
            fifo_depth=options.fifo_depth,
            storage=options.storage,
        )
    )
