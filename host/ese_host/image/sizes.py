# SPDX-License-Identifier: Apache-2.0
"""Sizes of layers, which determine the schedule of a step and the depths of an engine's memories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Union

from ese_host.errors import UnsupportedError
from ese_host.image.interleave import Interleave
from ese_host.ir import CELL_ROWS, GATES, Gru, Layer, Lstm, Network, Part


@dataclass(frozen=True)
class MatrixSize:
    """Size of one weight matrix.

    Attributes:
        name: the field of the layer that holds it, one of `ese_host.ir.PARTS`.
        rows: number of rows (outputs).
        columns: number of columns (inputs).
        places: the rows of an item's sums to which its blocks of rows add (`ese_host.image.interleave`).
    """

    name: Part
    rows: int
    columns: int
    places: tuple[int, ...] = (0,)

    @property
    def weights(self) -> int:
        """Number of weights before pruning."""
        return self.rows * self.columns

    def interleave(self, pes: int) -> Interleave:
        """Distribution of the rows over the PEs."""
        return Interleave(self.rows, pes, self.places)


@dataclass(frozen=True)
class RecurrentSize:
    """The sizes that LSTM and GRU layers have in common.

    Attributes:
        inputs: width of the input.
        units: number of cells.
    """

    inputs: int
    units: int

    @property
    def outputs(self) -> int:
        """Width of the output, which is also fed back."""
        return self.units

    @property
    def rows(self) -> tuple[str, int]:
        """The name and the number of what the PEs share out: the four sums of a cell stay together."""
        return "cells", self.units

    def matrices(self) -> tuple[MatrixSize, ...]:
        """Sizes of the layer's matrices, in the order of `ese_host.ir.Recurrent.matrices`."""
        raise NotImplementedError


@dataclass(frozen=True)
class LstmSize(RecurrentSize):
    """Sizes of an LSTM.

    Attributes:
        projection: width of the projected output; 0 without a projection.
        peepholes: whether the gates read c.
        return_sequences: whether there is an output for every step, or only for the last.
        stored_output: whether the output has a quantizer; otherwise a last layer's output leaves as the exact product,
            two words per value. A projection's output always has the state's format.
        own_output: whether the output's format differs from the state's, so that a hidden layer stores both.
        delta: whether the layer belongs to a delta network, in which only changes take part in the sums.
    """

    projection: int = 0
    peepholes: bool = False
    return_sequences: bool = True
    stored_output: bool = True
    own_output: bool = False
    delta: bool = False

    @property
    def outputs(self) -> int:
        """Width of the output, which is also fed back."""
        return self.projection or self.units

    def matrices(self) -> tuple[MatrixSize, ...]:
        """Sizes of kernel, recurrent kernel and, if there is one, projection."""
        gates = (
            MatrixSize("kernel", GATES * self.units, self.inputs, CELL_ROWS),
            MatrixSize("recurrent", GATES * self.units, self.outputs, CELL_ROWS),
        )
        return (*gates, MatrixSize("projection", self.projection, self.units)) if self.projection else gates


@dataclass(frozen=True)
class GruSize(RecurrentSize):
    """Sizes of a GRU.

    Attributes:
        reset_after: whether r multiplies the candidate's recurrent sum, and not h before it.
        return_sequences: whether there is an output for every step, or only for the last.
        stored_output: as for `LstmSize`.
        own_output: as for `LstmSize`.
        delta: as for `LstmSize`.
    """

    reset_after: bool = True
    return_sequences: bool = True
    stored_output: bool = True
    own_output: bool = False
    delta: bool = False

    def matrices(self) -> tuple[MatrixSize, ...]:
        """Sizes of kernel, recurrent kernel and, without `reset_after`, the candidate's recurrent kernel."""
        units, kernel = self.units, MatrixSize("kernel", 3 * self.units, self.inputs, (0, 1, 2))
        if self.reset_after:
            return kernel, MatrixSize("recurrent", 3 * units, units, (0, 1, 3))
        return kernel, MatrixSize("recurrent", 2 * units, units, (0, 1)), MatrixSize("candidate", units, units, (3,))


@dataclass(frozen=True)
class DenseSize:
    """Sizes of a fully connected layer.

    Attributes:
        inputs: width of the input.
        outputs: width of the output.
        stored_output: whether the output has a quantizer; otherwise it leaves as the exact sum.
    """

    inputs: int
    outputs: int
    stored_output: bool = True

    @property
    def rows(self) -> tuple[str, int]:
        """The name and the number of what the PEs share out."""
        return "outputs", self.outputs

    def matrices(self) -> tuple[MatrixSize, ...]:
        """Size of the kernel, in the form of `RecurrentSize.matrices`."""
        return (MatrixSize("kernel", self.outputs, self.inputs),)


LayerSize = Union[LstmSize, GruSize, DenseSize]


def idle_pes(layers: Mapping[str, LayerSize], pes: int) -> tuple[str, str]:
    """The layer with the most weights, and a sentence on the PEs that hold none of it; empty texts if all do.

    Args:
        layers: sizes of layers by their names.
        pes: number of PEs.
    """
    name = max(layers, key=lambda each: sum(matrix.weights for matrix in layers[each].matrices()))
    kind, rows = layers[name].rows
    enough = rows + rows % 2  # two element-wise units need an even number of PEs
    if pes <= enough:
        return "", ""
    return name, (
        f"layer {name!r}, which has the most weights, has {rows} {kind}, so that {pes - rows} of {pes} PEs have none "
        f"of them: {enough} PEs serve it as well"
    )


def sizes_of(network: Network) -> tuple[LayerSize, ...]:
    """Sizes of a network's layers, in the order of computation."""
    return tuple(map(_size_of, network.layers))


def _size_of(layer: Layer) -> LayerSize:
    inputs, stored = layer.kernel.codes.shape[1], layer.output is not None
    if isinstance(layer, Lstm):
        return LstmSize(
            inputs=inputs,
            units=layer.units,
            projection=0 if layer.projection is None else layer.outputs,
            peepholes=layer.peepholes is not None,
            return_sequences=layer.return_sequences,
            stored_output=stored,
            own_output=layer.product != layer.state,
            delta=layer.is_delta,
        )
    if isinstance(layer, Gru):
        return GruSize(
            inputs=inputs,
            units=layer.units,
            reset_after=layer.reset_after,
            return_sequences=layer.return_sequences,
            stored_output=stored,
            own_output=layer.product != layer.state,
            delta=layer.is_delta,
        )
    return DenseSize(inputs, layer.outputs, stored)


def check_chain(layers: Sequence[LayerSize]) -> None:
    """Refuse layers that are no chain.

    Raises:
        UnsupportedError: if there is no layer, or a layer's inputs are not the outputs of the one before it.
    """
    if not layers:
        raise UnsupportedError("there is no layer; at least one is needed")
    for number, (before, layer) in enumerate(pairwise(layers)):
        if before.outputs != layer.inputs:
            raise UnsupportedError(f"layer {number + 2} takes {layer.inputs} inputs; {before.outputs} arrive")
