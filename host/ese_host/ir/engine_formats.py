"""The formats of which an engine has exactly one each, so that all networks that it runs must share them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ese_host.errors import UnsupportedError
from ese_host.ir.activations import Activation
from ese_host.ir.fixed import Fixed
from ese_host.ir.network import Lstm, Network
from ese_host.ir.weight_kinds import WeightKind

ELEMENT_BITS = 16
"""Most bits of a vector element's code, in vector RAM and in a packet."""

_GATE = Activation("sigmoid", Fixed(16, 0, signed=False))
_CELL = Activation("tanh", Fixed(16, 1))


@dataclass(frozen=True)
class EngineFormats:
    """The fields of a `Design` that follow from the networks.

    The activations have no slope and offset here, because these are loaded with an image.

    Attributes:
        weights: kind of weight code.
        source: format of an input; only its sign is built into the engine.
        state: format of an LSTM's h and c.
        output: format of an LSTM's output as it is stored for the next layer.
        gate: activation of an LSTM's gates i, f and o.
        cell: activation of an LSTM's candidate and of c.
    """

    weights: WeightKind
    source: Fixed
    state: Fixed = Fixed(16, 4)
    output: Fixed = Fixed(16, 1)
    gate: Activation = _GATE
    cell: Activation = _CELL


def common_formats(networks: Sequence[Network]) -> EngineFormats:
    """The formats that all networks share; the LSTM formats are the defaults if no network has an LSTM.

    Raises:
        UnsupportedError: if two layers differ in weights, formats or activations, an input is too wide to share the
            engine with another network's, or a stored output is too wide.
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
    # A layer that stores no output fits any output format, so it takes the one that the others need.
    shared = (stored or possible or [default.output])[0] or default.output
    layer_formats = [
        (layer.state, (needed and output) or shared, without_line(layer.gate), without_line(layer.cell))
        for layer, output, needed in layers
    ]
    first = layers[0][0].name
    for (layer, _, _), formats in zip(layers, layer_formats, strict=True):
        if formats != layer_formats[0]:
            raise UnsupportedError(
                f"layer {layer.name!r}: its formats {formats} differ from those of layer {first!r}, "
                f"{layer_formats[0]}; one engine has one of each: use the same quantizers in all LSTM layers"
            )
    for network in networks:
        _check_same_activations([layer for layer in network.layers if isinstance(layer, Lstm)])
    state, output, gate, cell = layer_formats[0]
    return replace(default, state=state, output=output, gate=gate, cell=cell)


def without_line(activation: Activation) -> Activation:
    """The activation without slope and offset, which are loaded with an image."""
    return Activation(activation.kind, activation.out)


def stored_output(layer: Lstm, final: bool) -> tuple[Fixed | None, bool]:
    """Format in which an LSTM's output would be stored in vector RAM, and whether the engine must store it.

    Args:
        layer: the LSTM.
        final: whether it is the last layer of its network.

    Returns:
        The output format, or None if it is wider than `ELEMENT_BITS`; whether the output is stored.

    Raises:
        UnsupportedError: if the output must be stored but is too wide.
    """
    output = layer.product
    leaves_exact = final and layer.output is None and layer.projection is None
    stored = not leaves_exact and (final or layer.projection is not None or output != layer.state)
    if output.bits <= ELEMENT_BITS:
        return output, stored
    if stored:
        raise UnsupportedError(
            f"layer {layer.name!r}: its output has {output.bits} bits; at most {ELEMENT_BITS} can be stored: use 8-bit "
            "activations, or put QActivation('quantized_bits(16, 0, alpha=1)') behind it"
        )
    return None, False


def fits_source(source: Fixed, engine: Fixed) -> bool:
    """Whether an engine built for one input format can also read inputs of another; only the sign is built in.

    Args:
        source: format of the inputs.
        engine: input format that the engine is built for.
    """
    return source.bits + (engine.signed and not source.signed) <= ELEMENT_BITS and engine.signed >= source.signed


def _source(networks: Sequence[Network]) -> Fixed:
    sources = [network.source for network in networks]
    chosen = next((source for source in sources if source.signed), sources[0])
    for source in sources:
        if len(sources) > 1 and not fits_source(source, chosen):
            raise UnsupportedError(
                f"one chain reads {source}, another {chosen}; beside a signed input an unsigned one may have at most "
                f"{ELEMENT_BITS - 1} bits: use signed quantizers for both, or fewer bits"
            )
    return chosen


def _weights(networks: Sequence[Network]) -> WeightKind:
    kinds: dict[WeightKind, str] = {}
    for network in networks:
        for layer in network.layers:
            for matrix in layer.matrices().values():
                kinds.setdefault(matrix.kind, layer.name)
    if len(kinds) > 1:
        names = " and ".join(f"{kind} ({name!r})" for kind, name in kinds.items())
        raise UnsupportedError(f"layers have {names} weights; an engine holds one kind: quantize all kernels alike")
    return next(iter(kinds))


def _check_same_activations(layers: Sequence[Lstm]) -> None:
    """Refuse LSTM layers whose activations differ in slope or offset: an image has one of each."""
    for layer in layers[1:]:
        if (layer.gate, layer.cell) != (layers[0].gate, layers[0].cell):
            raise UnsupportedError(
                f"layer {layer.name!r}: its activations {layer.gate}, {layer.cell} differ from those of layer "
                f"{layers[0].name!r}, {layers[0].gate}, {layers[0].cell}; an image has one of each: use the same"
            )
