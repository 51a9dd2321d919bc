"""Layers by their sizes: all that decides the schedule of a step and the depths of an engine's memories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Union

from ese_host.errors import UnsupportedError
from ese_host.image.interleave import Interleave
from ese_host.ir import GATES, Lstm, Network


@dataclass(frozen=True)
class MatrixSize:
    """One weight matrix: rows, columns, and how many rows belong together (`ese_host.ir.network.GATES`, else 1)."""

    name: str
    rows: int
    columns: int
    group: int = 1

    @property
    def weights(self) -> int:
        """Weights before pruning."""
        return self.rows * self.columns

    def interleave(self, pes: int) -> Interleave:
        """Its rows over the PEs."""
        return Interleave(self.rows, pes, self.group)


@dataclass(frozen=True)
class LstmSize:
    """An LSTM by its sizes.

    Attributes:
        inputs, units: widths. projection: width of the projected output, 0 without one.
        peepholes: whether the cells see c. return_sequences: whether an output leaves at every step.
        stored_output: whether the output has a quantizer; without, it leaves as the exact product, two words a value.
            A projection's output always has the state's format.
        own_output: whether the quantizer of the output differs from the state's, so that a hidden layer stores both.
        delta: whether only changes take part in the sums (a delta network).
    """

    inputs: int
    units: int
    projection: int = 0
    peepholes: bool = False
    return_sequences: bool = True
    stored_output: bool = True
    own_output: bool = False
    delta: bool = False

    @property
    def outputs(self) -> int:
        """Width of the output, and of what is fed back."""
        return self.projection or self.units

    def matrices(self) -> tuple[MatrixSize, ...]:
        """Kernel, recurrent kernel, projection."""
        gates = (
            MatrixSize("kernel", GATES * self.units, self.inputs, GATES),
            MatrixSize("recurrent", GATES * self.units, self.outputs, GATES),
        )
        return (*gates, MatrixSize("projection", self.projection, self.units)) if self.projection else gates


@dataclass(frozen=True)
class DenseSize:
    """A fully connected layer by its sizes; `stored_output` as in `LstmSize`."""

    inputs: int
    outputs: int
    stored_output: bool = True

    def matrices(self) -> tuple[MatrixSize, ...]:
        """Its kernel."""
        return (MatrixSize("kernel", self.outputs, self.inputs),)


LayerSize = Union[LstmSize, DenseSize]


def sizes_of(network: Network) -> tuple[LayerSize, ...]:
    """The sizes of a network's layers."""
    return tuple(
        LstmSize(
            inputs=layer.kernel.codes.shape[1],
            units=layer.units,
            projection=0 if layer.projection is None else layer.outputs,
            peepholes=layer.peepholes is not None,
            return_sequences=layer.return_sequences,
            stored_output=layer.output is not None,
            own_output=layer.product != layer.state,
            delta=layer.is_delta,
        )
        if isinstance(layer, Lstm)
        else DenseSize(layer.kernel.codes.shape[1], layer.outputs, layer.output is not None)
        for layer in network.layers
    )


def check_chain(layers: Sequence[LayerSize]) -> None:
    """Refuse layers that do not follow each other.

    Raises:
        UnsupportedError: there is none, or one takes another width than the one before it gives.
    """
    if not layers:
        raise UnsupportedError("there is no layer; at least one is needed")
    for number, (before, layer) in enumerate(pairwise(layers)):
        if before.outputs != layer.inputs:
            raise UnsupportedError(f"layer {number + 2} takes {layer.inputs} inputs; {before.outputs} arrive")
