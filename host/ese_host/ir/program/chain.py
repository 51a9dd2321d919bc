"""A chain of layers: the part of a program that one image makes the engine do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ese_host.errors import CapacityError, FormatError, UnsupportedError
from ese_host.ir.engine_formats import ELEMENT_BITS
from ese_host.ir.network import Dense, Lstm, Network
from ese_host.ir.program.tensor import Tensor, check_frac


@dataclass(frozen=True, eq=False)
class Chain:
    """A network run on the engine.

    Attributes:
        name: of the chain, in reports. network: its layers; the program's outputs have the heads.
        source, target: tensors.
        backwards: each sample's own steps are fed last one first, and outputs, where there is one for each step, are
            handed back in the order of the input: the backward layer of Keras's Bidirectional. (A Keras layer
            with go_backwards=True alone leaves them reversed: a `Reverse` behind the chain.)
    """

    name: str
    network: Network
    source: str
    target: str
    backwards: bool = False

    @property
    def sources(self) -> tuple[str, ...]:
        """Tensors read."""
        return (self.source,)

    def infer(self, source: Tensor) -> Tensor:
        """What leaves the chain.

        Raises:
            FormatError: another width or format arrives. UnsupportedError: an LSTM is to read a vector.
        """
        network = self.network
        if network.source.bits > ELEMENT_BITS:
            raise CapacityError(
                f"its input has {network.source.bits} bits; the engine reads {ELEMENT_BITS}: quantize before"
            )
        if source.width != network.inputs:
            raise FormatError(f"it takes {network.inputs} elements; {source.width} arrive")
        if not source.fits(network.source):
            raise FormatError(
                f"it reads {network.source}; codes {source.low}..{source.high} with {source.frac} fractional bits "
                "arrive: put a Quantize before it"
            )
        recurrent = [layer.name for layer in network.layers if isinstance(layer, Lstm)]
        if source.kind == "vector" and recurrent:
            raise UnsupportedError(f"its layer {recurrent[0]!r} reads a sequence; a vector arrives: repeat it before")
        frac, low, high = leaving(network)
        if network.every_step:
            return Tensor(network.outputs, frac, low, high, source.kind, source.steps)
        return Tensor(network.outputs, frac, low, high, "vector", 1)


def leaving(network: Network) -> tuple[int, int, int]:
    """Fractional bits and range of the golden model's outputs; of an exact sum from the weights themselves."""
    form = network.output_format
    if form is not None:
        return form.frac, form.low, form.high
    layer = network.layers[-1]
    if not isinstance(layer, Dense):
        raise UnsupportedError(f"layer {layer.name!r} has no output format; it is given for an LSTM")
    kernel, source = layer.kernel, layer.source
    frac = max(source.frac + kernel.scale_frac, layer.bias_frac)
    for point in (source.frac + kernel.scale_frac, layer.bias_frac):
        check_frac(point)
    levels = kernel.levels.astype(object)
    above = np.maximum(levels, 0).sum(axis=1) * kernel.scale[0].astype(object)
    below = np.minimum(levels, 0).sum(axis=1) * kernel.scale[1].astype(object)
    shift, bias = frac - source.frac - kernel.scale_frac, layer.bias.astype(object) * 2 ** (frac - layer.bias_frac)
    low = min((above * source.low + below * source.high) * 2**shift + bias)
    high = max((above * source.high + below * source.low) * 2**shift + bias)
    if layer.relu:
        low, high = max(low, 0), max(high, 0)
    return frac, int(low), int(high)
