# SPDX-License-Identifier: Apache-2.0
"""Networks in integers: the output of conversion, and the input of the encoder and of the golden model.

Everything is exact: weights are small integer codes with 16-bit scales, biases and constants are codes with stated
fractional bits. Rows are outputs and columns are inputs; the rows of a recurrent layer's kernels are ordered gate by
gate, as in Keras. docs/reference/numerics.md defines what a network computes; `ese_host.ir.golden` computes it.
"""

from ese_host.ir.network.dense import Dense
from ese_host.ir.network.matrix import PARTS, SCALE_BITS, Matrix, Part
from ese_host.ir.network.network import Layer, Network
from ese_host.ir.network.recurrent import CELL_ROWS, GATES, MAX_THRESHOLD, Gru, Lstm, Recurrent

__all__ = [
    "CELL_ROWS",
    "GATES",
    "MAX_THRESHOLD",
    "PARTS",
    "SCALE_BITS",
    "Dense",
    "Gru",
    "Layer",
    "Lstm",
    "Matrix",
    "Network",
    "Part",
    "Recurrent",
]
