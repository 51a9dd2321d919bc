# SPDX-License-Identifier: Apache-2.0
"""Beats: the sequencer's orders to all PEs in a clock, and how many clocks later they take effect."""

from __future__ import annotations

from amaranth.lib import data
from amaranth.utils import ceil_log2

from ese_rtl.sizes import Sizes

READ_LATENCY = 6
"""Clocks from a beat to the clock in which a PE's address stands at the vector RAM."""
WRITE_LATENCY = 1
"""Clocks from a write at the array's port to the clock in which it stands at the vector RAM."""
FILL_LATENCY = 11
"""Clocks from a beat to the first clock in which the accumulators hold its sums."""


def beat_layout(sizes: Sizes) -> data.StructLayout:
    """One clock of all PEs: an entry of a matrix (`run`), a row to be cleared (`sweep`), or nothing.

    Args:
        sizes: of the engine.
    """
    design = sizes.design
    return data.StructLayout(
        {
            "run": 1,
            "sweep": 1,
            "set": 1,  # accumulator set that is filled or cleared
            "first": 1,  # the first entry of a matrix, or a sweep: the position is counted from `start`
            "start": sizes.position_bits,  # the vector's base times the stride; or the row to be cleared
            "address": sizes.entry_address_bits,
            "slot": max(1, design.widths.slot_bits),
            "stride": ceil_log2(sizes.row_bits + 1),  # its logarithm
            "source_ram": 1,
            **({"base": sizes.column_bits} if design.window else {}),  # of the vector
            "full": 1,  # the entry is a code without a gap,
            "jump": sizes.row_bits,  # but the positions between the last column's rows and the stride are passed
            "book": 4,
            "bank_positive": 2,
            "bank_negative": 2,
        }
    )
