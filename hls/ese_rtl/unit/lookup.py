# SPDX-License-Identifier: Apache-2.0
"""The port to the table of tanh."""
# Annotations of a data.Struct are its fields, so that they must not be postponed.

from amaranth.hdl import unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ese_host.ir import STEP_BITS, TABLE_SIZE, VALUE_FRAC

SEGMENT_BITS = (TABLE_SIZE - 1).bit_length()


class TableWord(data.Struct):
    """A word of the table: the value at the beginning of a segment, and the step to the next."""

    value: unsigned(VALUE_FRAC)
    step: unsigned(STEP_BITS)


LOOKUP = wiring.Signature({"segment": Out(SEGMENT_BITS), "word": In(TableWord)})
"""A port to the table: the word of a segment comes one clock after the segment.

Where the unit stands still, the table's read port stands still with it.
"""
