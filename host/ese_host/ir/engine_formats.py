"""The formats that one engine has once, for all the chains that it is to run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ese_host.errors import UnsupportedError
from ese_host.ir.activations import Activation
from ese_host.ir.fixed import Fixed
from ese_host.ir.network import Lstm, Network
from ese_host.ir.weight_kinds import WeightKind

ELEMENT_BITS = 16
"""Bits of a vector element as it is stored, or read from a packet."""


_GATE = Activation("sigmoid", Fixed(16, 0, signed=False))
_CELL = Activation("tanh", Fixed(16, 1))


@dataclass(frozen=True)
class EngineFormats:
    """The fields of a `Design` that networks decide; the activations without slope and offset, which an image brings.

    Attributes:
        weights: kind of weight code. source: an input's format, of which an engine has only the sign.
        state, output, gate, cell: an LSTM's.
    """

    weights: WeightKind
    source: Fixed
    state: Fixed = Fixed(16, 4)
    output: Fixed = Fixed(16, 1)
    gate: Activation = _GATE
    cell: Activation = _CELL


def common_formats(networks: Sequence[Network]) -> EngineFormats:
    """The formats that all networks share; those of an LSTM are the defaults where none has one.

    Raises:
        UnsupportedError: two layers differ in weights, formats or activations, or a stored output is too wide.
    """
    default = EngineFormats(_weights(networks), _source(networks))
    layers = [
        (layer, *stored_output(layer, layer is network.layers[-1]))
        for network in networks
        for layer in network.layers
        if isinstance(layer, Lstm)
    ]
    if not layers:
        return default
    stored = [output for _, output, needed in layers if needed]
    possible = [output for _, output, _ in layers if output is not None]
    shared = (stored or possible or [default.output])[0] or default.output
    found = [
        (layer.state, (needed and output) or shared, without_line(layer.gate), without_line(layer.cell))
        for layer, output, needed in layers
    ]
    first = layers[0][0].name
    for (layer, _, _), formats in zip(layers, found, strict=True):
        if formats != found[0]:
            raise UnsupportedError(
                f"layer {layer.name!r}: its formats {formats} differ from those of layer {first!r}, {found[0]}; one "
                "engine has one of each: use the same quantizers in all LSTM layers"
            )
    for network in networks:
        _check_lines([layer for layer in network.layers if isinstance(layer, Lstm)])
    state, output, gate, cell = found[0]
    return replace(default, state=state, output=output, gate=gate, cell=cell)


def without_line(activation: Activation) -> Activation:
    """An activation without slope and offset, which come with the image."""
    return Activation(activation.kind, activation.out)


def stored_output(layer: Lstm, final: bool) -> tuple[Fixed | None, bool]:
    """Format of an LSTM's outputs stored beside its state, None where it is too wide, and whether they are stored.

    Raises:
        UnsupportedError: they are, and it is too wide.
    """
    output = layer.product
    exact = final and layer.output is None and layer.projection is None
    needs = not exact and (final or layer.projection is not None or output != layer.state)
    if output.bits <= ELEMENT_BITS:
        return output, needs
    if needs:
        raise UnsupportedError(
            f"layer {layer.name!r}: its output has {output.bits} bits; {ELEMENT_BITS} are stored between layers: use "
            "8-bit activations, or put QActivation('quantized_bits(16, 0, alpha=1)') behind it"
        )
    return None, False


def fits_source(source: Fixed, engine: Fixed) -> bool:
    """Whether an engine that reads inputs in one format reads those of another: it has the sign alone."""
    return source.bits + (engine.signed and not source.signed) <= ELEMENT_BITS and engine.signed >= source.signed


def _source(networks: Sequence[Network]) -> Fixed:
    sources = [network.source for network in networks]
    chosen = next((source for source in sources if source.signed), sources[0])
    for source in sources:
        if len(sources) > 1 and not fits_source(source, chosen):
            raise UnsupportedError(
                f"one chain reads {source}, another {chosen}; where one is signed, an unsigned one has "
                f"{ELEMENT_BITS - 1} bits at most: use quantizers of one sign, or of fewer bits"
            )
    return chosen


def _weights(networks: Sequence[Network]) -> WeightKind:
    kinds: dict[WeightKind, str] = {}
    for network in networks:
        for layer in network.layers:
            for matrix in layer.matrices().values():
                kinds.setdefault(matrix.kind, layer.name)
    if len(kinds) > 1:
        found = " and ".join(f"{kind} ({name!r})" for kind, name in kinds.items())
        raise UnsupportedError(f"layers have {found} weights; an engine holds one kind: quantize all kernels alike")
    return next(iter(kinds))


def _check_lines(layers: Sequence[Lstm]) -> None:
    """Refuse hard activations of one image that differ in slope or offset: the image has one line for each."""
    for layer in layers[1:]:
        if (layer.gate, layer.cell) != (layers[0].gate, layers[0].cell):
            raise UnsupportedError(
                f"layer {layer.name!r}: its activations {layer.gate}, {layer.cell} differ from those of layer "
                f"{layers[0].name!r}, {layers[0].gate}, {layers[0].cell}; an image has one of each: use the same"
            )
