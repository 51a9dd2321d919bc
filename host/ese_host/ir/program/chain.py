# SPDX-License-Identifier: Apache-2.0
"""A chain of layers: the part of a program that the engine runs with one image."""

from __future__ import annotations

from dataclasses import dataclass

from ese_host.errors import CapacityError, FormatError, UnsupportedError
from ese_host.ir.format_sets import ELEMENT_BITS
from ese_host.ir.network import Dense, Network, Recurrent
from ese_host.ir.program.tensor import Tensor, check_frac


@dataclass(frozen=True, eq=False)
class Chain:
    """A network run on the engine.

    Attributes:
        name: name of the chain in reports.
        network: its layers. Its `head` is not applied here: a program's outputs have heads of their own.
        source: name of the tensor read.
        target: name of the tensor made.
        backwards: whether each sample is fed from its last step to its first, and outputs of every step are returned
            in the order of the input, like the backward layer of Keras's Bidirectional. (A Keras layer with
            go_backwards=True outside a Bidirectional leaves them reversed: it needs a `Reverse` behind the chain.)
    """

    name: str
    network: Network
    source: str
    target: str
    backwards: bool = False

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the tensors read."""
        return (self.source,)

    def infer(self, source: Tensor) -> Tensor:
        """Describe the tensor that leaves the chain.

        Raises:
            CapacityError: if the network's input format is wider than a vector element.
            FormatError: if the tensor read has another width or format than the network's input.
            UnsupportedError: if a recurrent layer would read a vector.
        """
        network = self.network
        if network.source.bits > ELEMENT_BITS:
            raise CapacityError(
                f"its input has {network.source.bits} bits; the engine reads at most {ELEMENT_BITS}: quantize the input"
            )
        if source.width != network.inputs:
            raise FormatError(f"it takes frames of {network.inputs} elements; frames of {source.width} arrive")
        if not source.fits(network.source):
            raise FormatError(
                f"it reads {network.source}; codes {source.low}..{source.high} with {source.frac} fractional bits "
                "arrive: put a Quantize before it"
            )
        recurrent = [layer.name for layer in network.layers if isinstance(layer, Recurrent)]
        if source.kind == "vector" and recurrent:
            raise UnsupportedError(
                f"its layer {recurrent[0]!r} reads a sequence; a vector arrives: put a RepeatVector before it"
            )
        frac, low, high = output_range(network)
        if network.every_step:
            return Tensor(network.outputs, frac, low, high, source.kind, source.steps)
        return Tensor(network.outputs, frac, low, high, "vector", 1)


def output_range(network: Network) -> tuple[int, int, int]:
    """Fractional bits, smallest and largest code of a network's output; for an exact sum, bounds from its weights.

    Raises:
        UnsupportedError: if the last layer is an LSTM without an output format.
        CapacityError: if an exact sum has too many fractional bits.
    """
    form = network.output_format
    if form is not None:
        return form.frac, form.low, form.high
    layer = network.layers[-1]
    if not isinstance(layer, Dense):
        raise UnsupportedError(f"layer {layer.name!r} has no output format; it is given for an LSTM")
    for point in (layer.source.frac + layer.kernel.scale_frac, layer.bias_frac):
        check_frac(point)
    frac, low, high = layer.exact_range
    return (frac, max(low, 0), max(high, 0)) if layer.relu else (frac, low, high)
