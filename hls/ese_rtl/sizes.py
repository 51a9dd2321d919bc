# SPDX-License-Identifier: Apache-2.0
"""Widths and depths that follow from a design, and what the RTL engine does not do yet."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.utils import ceil_log2

from ese_host.errors import UnsupportedError
from ese_host.estimate import most_units
from ese_host.image import Design
from ese_host.ir import GATES


@dataclass(frozen=True)
class Sizes:
    """Widths and depths of the engine of a design.

    Attributes:
        design: the design.
    """

    design: Design

    def __post_init__(self) -> None:
        if not self.skips and self.units > most_units("rtl", self.design.window):
            raise UnsupportedError(
                f"the design has {self.units} element-wise units and no activation window; without a window, the RTL "
                "engine has one unit: emit with --window 64, with --cells-per-cycle 1, or with --flow hls"
            )

    @property
    def skips(self) -> bool:
        """Whether the engine leaves out elements that are zero, or have not changed."""
        return self.design.mode == "skip"

    @property
    def pes(self) -> int:
        """Number of processing elements."""
        return self.design.pes

    @property
    def units(self) -> int:
        """Number of element-wise units. The sums of PE p go to unit p mod `units`."""
        return self.design.cells_per_cycle

    @property
    def unit_pes(self) -> int:
        """PEs of a unit."""
        return self.pes // self.units

    @property
    def pe_bits(self) -> int:
        """Bits of a PE's number among those of its unit; at least one."""
        return max(1, ceil_log2(self.unit_pes))

    @property
    def elements(self) -> int:
        """Elements that are written to a vector RAM in a clock at most: two of a frame, or two rows of each unit."""
        return 2 * self.units

    @property
    def rows(self) -> int:
        """Accumulator rows of a PE in each set."""
        return GATES * self.design.group_depth

    @property
    def row_bits(self) -> int:
        """Bits of a row's number within a PE."""
        return ceil_log2(self.rows)

    @property
    def column_bits(self) -> int:
        """Bits of an element's address in a vector RAM."""
        return ceil_log2(self.design.vector_depth)

    @property
    def position_bits(self) -> int:
        """Bits of a position: column times stride plus row."""
        return self.row_bits + self.column_bits

    @property
    def entry_address_bits(self) -> int:
        """Bits of an address in a PE's entry memory."""
        return max(1, ceil_log2(self.design.entry_depth))

    @property
    def pointer_address_bits(self) -> int:
        """Bits of an address among a PE's column pointers, in skip mode."""
        return ceil_log2(self.design.pointer_depth)

    @property
    def pairs(self) -> int:
        """Copies of each vector RAM: one for two PEs."""
        return (self.pes + 1) // 2

    @property
    def cell_period(self) -> int:
        """Clocks from one LSTM cell of a unit to the next: a PE shows one of a cell's four rows in each clock."""
        return -(-GATES // self.unit_pes)

    @property
    def paired(self) -> bool:
        """Whether a unit takes two rows of a Dense stage in each clock, which takes an even number of its PEs."""
        return self.unit_pes % 2 == 0
