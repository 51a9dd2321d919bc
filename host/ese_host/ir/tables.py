# SPDX-License-Identifier: Apache-2.0
"""The tanh table: 1024 segments on [0, 8), values with 19 fractional bits (docs/reference/numerics.md, "Activations").

Sigmoid uses it too: sigmoid(x) = 1/2 + tanh(x/2)/2. With linear interpolation the error stays below one least
significant bit of a 16-bit activation over the whole input range.
"""

from __future__ import annotations

import numpy as np

from ese_host.ir.fixed import Codes

TABLE_SIZE = 1024
VALUE_FRAC = 19
"""Fractional bits of a value. Values are below 1, so these are all of its bits in an image's word."""
STEP_BITS = 13
"""Bits of the step to the next segment; in an image's word they stand above those of the value."""
SEGMENT_FRAC = 13
"""Bits of a position within one segment."""
INPUT_FRAC = 20
"""Fractional bits of an input: a segment is 2**(SEGMENT_FRAC - INPUT_FRAC) = 1/128 wide."""


def tanh_table() -> Codes:
    """(2, 1024) table: the value at the start of each segment, and the step to the next value."""
    edges = np.tanh(np.arange(TABLE_SIZE + 1) * (8 / TABLE_SIZE))
    values = np.minimum(np.rint(np.ldexp(edges, VALUE_FRAC)), 2**VALUE_FRAC - 1).astype(np.int64)
    return np.stack([values[:-1], np.diff(values)])
