# SPDX-License-Identifier: Apache-2.0
"""A chain of layers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Union

import numpy as np

from ese_host.errors import FormatError, UnsupportedError
from ese_host.ir.fixed import Codes, Fixed
from ese_host.ir.network.dense import Dense
from ese_host.ir.network.recurrent import Gru, Lstm, Recurrent
from ese_host.ir.tables import TABLE_SIZE, tanh_table

Layer = Union[Lstm, Gru, Dense]


@dataclass(frozen=True, eq=False)
class Network:
    """A chain of layers.

    Attributes:
        layers: in the order of computation.
        source: format of the first layer's input.
        head: function that the host applies to the last layer's output: none, or a softmax, which changes no class.
        table: tanh table of `ese_host.ir.tables`, kept with the network so that everyone uses the same one.
    """

    layers: tuple[Layer, ...]
    source: Fixed
    head: Literal["none", "softmax"] = "none"
    table: Codes = field(default_factory=tanh_table)

    def __post_init__(self) -> None:
        if not self.layers:
            raise UnsupportedError("the network has no LSTM, GRU or Dense layer; at least one is needed")
        if self.table.shape != (2, TABLE_SIZE):
            raise FormatError(f"the tanh table has shape {self.table.shape}; expected {(2, TABLE_SIZE)}")
        width = self.inputs
        for layer in self.layers:
            if layer.kernel.codes.shape[1] != width:
                raise FormatError(f"layer {layer.name!r} takes {layer.kernel.codes.shape[1]} inputs; {width} arrive")
            width = layer.outputs

    @property
    def inputs(self) -> int:
        """Width of one input frame."""
        return self.layers[0].kernel.codes.shape[1]

    @property
    def outputs(self) -> int:
        """Width of one output frame."""
        return self.layers[-1].outputs

    @property
    def weights(self) -> int:
        """Number of weights in all matrices, zeros included."""
        return sum(matrix.codes.size for layer in self.layers for matrix in layer.matrices().values())

    @property
    def nonzero_weights(self) -> int:
        """Number of weights in all matrices that are not zero."""
        matrices = (matrix for layer in self.layers for matrix in layer.matrices().values())
        return sum(int(np.count_nonzero(matrix.levels)) for matrix in matrices)

    @property
    def output_format(self) -> Fixed | None:
        """Format of the last layer's output; None if that is the exact sum of a Dense layer."""
        final = self.layers[-1]
        if isinstance(final, Dense):
            return final.output
        return final.passed_on

    @property
    def every_step(self) -> bool:
        """Whether there is an output for every step, or only for the last."""
        return all(layer.return_sequences for layer in self.layers if isinstance(layer, Recurrent))
