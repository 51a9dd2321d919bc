# SPDX-License-Identifier: Apache-2.0
"""The records of skip mode: what a phase scans, and a column on its way to a PE."""

from __future__ import annotations

from amaranth.hdl import signed
from amaranth.lib import data
from amaranth.utils import ceil_log2

from ese_host.image import RAM_BITS
from ese_rtl.records import ELEMENT_BITS
from ese_rtl.sizes import Sizes

COLUMN_BITS = 16
"""Bits of a column's number, and of the number of columns."""
THRESHOLD_BITS = 16


def scan_layout(sizes: Sizes) -> data.StructLayout:
    """The vector that a phase scans, and its column pointers.

    Args:
        sizes: of the engine.
    """
    delta = sizes.design.delta_depth
    return data.StructLayout(
        {
            "columns": COLUMN_BITS,
            "source_ram": 1,
            "source_base": sizes.column_bits,
            "pointer_base": sizes.pointer_address_bits,
            "full": 1,  # entries are codes without gaps
            "delta": 1 if delta else 0,
            "threshold": THRESHOLD_BITS if delta else 0,
            "last_base": ceil_log2(delta) if delta else 0,
        }
    )


def column_layout() -> data.StructLayout:
    """A PE's part of a column: the pointers to its first entry and behind its last one, and what they multiply."""
    return data.StructLayout(
        {
            "begin": RAM_BITS,
            "end": RAM_BITS,
            "some": 1,  # there are entries,
            "brief": 1,  # but one at most
            "value": signed(ELEMENT_BITS),
        }
    )
