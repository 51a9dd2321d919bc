"""The formats of which an engine has exactly one each, so that all networks that it runs must share them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ese_host.errors import UnsupportedError
from ese_host.ir.activations import Activation
from ese_host.ir.fixed import Fixed
from ese_host.ir.network import Gru, Lstm, Network, Recurrent
from ese_host.ir.weight_kinds import WeightKind

ELEMENT_BITS = 16
"""Most bits of a vector element's code, in vector RAM and in a packet."""

Cells = Literal["lstm", "gru", "lstm+gru"]
"""Kinds of recurrent cells of an engine."""

_GATE = Activation("sigmoid", Fixed(16, 0, signed=False))
_CELL = Activation("tanh", Fixed(16, 1))


@dataclass(frozen=True)
class EngineFormats:
    """The fields of a `Design` that follow from the networks.

    The activations have no slope and offset here, because these are loaded with an image.

    Attributes:
        weights: kind of weight code.
        source: format of an input; only its sign is built into the engine.
        state: format of a recurrent layer's h, and of an LSTM's c.
        output: format of a recurrent layer's output as it is stored for the next layer.
        gate: activation of the gates.
        cell: activation of a candidate, and of an LSTM's c.
        cells: kinds of recurrent cells.
    """

    weights: WeightKind
    source: Fixed
    state: Fixed = Fixed(16, 4)
    output: Fixed = Fixed(16, 1)
    gate: Activation = _GATE
    cell: Activation = _CELL
    cells: Cells = "lstm"


def common_formats(networks: Sequence[Network]) -> EngineFormats:
    """The formats that all networks share; those of recurrent layers are the defaults if there is none.

    Raises:
        UnsupportedError: if two layers differ in weights, formats or activations, an input is too wide to share the
            engine with another network's, or a stored output is too wide.
    """
    default = EngineFormats(_weights(networks), _source(networks))
    layers = [
        (layer, *stored_output(layer, layer is network.layers[-1]))
        for network in networks
        for layer in network.layers
        if isinstance(layer, Recurrent)
    ]
    if not layers:
        return default
    stored = [output for _, output, needed in layers if needed]
    possible = [output for _, output, _ in layers if output is not None]
    # A layer that stores no output fits any output format, so it takes the one that the others need.
    shared = (stored or possible or [default.output])[0] or default.output
    first = layers[0][0]
    for layer, output, needed in layers:
        _check_same(layer, first, "state", (layer.state, first.state), "state_quantizer or Precision 'state'")
        _check_same(layer, first, "stored output", (output if needed else shared, shared), "quantizer behind it")
        pairs = (
            ("recurrent activation", layer.gate, first.gate, "recurrent_activation"),
            ("activation", layer.cell, first.cell, "activation"),
        )
        for what, found, expected, option in pairs:
            _check_same(layer, first, what, (without_line(found), without_line(expected)), option)
    for network in networks:
        lstms = [layer for layer in network.layers if isinstance(layer, Recurrent)]
        for layer in lstms:
            _check_same(layer, lstms[0], "recurrent activation", (layer.gate, lstms[0].gate), "recurrent_activation")
            _check_same(layer, lstms[0], "activation", (layer.cell, lstms[0].cell), "activation")
    gate, cell = without_line(first.gate), without_line(first.cell)
    return replace(
        default, state=first.state, output=shared, gate=gate, cell=cell, cells=_cells([layer for layer, *_ in layers])
    )


def _cells(layers: Sequence[Recurrent]) -> Cells:
    """The kinds of the cells of at least one layer."""
    if not any(isinstance(layer, Gru) for layer in layers):
        return "lstm"
    return "lstm+gru" if any(isinstance(layer, Lstm) for layer in layers) else "gru"


def _check_same(layer: Recurrent, first: Recurrent, what: str, pair: tuple[object, object], option: str) -> None:
    """Refuse two recurrent layers of one engine that differ.

    Args:
        layer: the layer.
        first: the layer that it is compared with.
        what: what is compared, for the message.
        pair: the properties of the two layers.
        option: the argument of the Keras layer that sets them.

    Raises:
        UnsupportedError: if they differ.
    """
    if pair[0] != pair[1]:
        raise UnsupportedError(
            f"layer {layer.name!r} has {what} {pair[0]}, and layer {first.name!r} {pair[1]}; all recurrent layers of "
            f"an engine share one: give both layers the same {option}, or make a model of each"
        )


def without_line(activation: Activation) -> Activation:
    """The activation without slope and offset, which are loaded with an image."""
    return Activation(activation.kind, activation.out)


def stored_output(layer: Recurrent, final: bool) -> tuple[Fixed | None, bool]:
    """Format in which a recurrent layer's output would be stored in vector RAM, and whether the engine must store it.

    Args:
        layer: the layer.
        final: whether it is the last layer of its network.

    Returns:
        The output format, or None if it is wider than `ELEMENT_BITS`; whether the output is stored.

    Raises:
        UnsupportedError: if the output must be stored but is too wide.
    """
    output = layer.product
    projected = isinstance(layer, Lstm) and layer.projection is not None
    leaves_exact = final and layer.output is None and not projected
    stored = not leaves_exact and (final or projected or output != layer.state)
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
    chosen = next((network for network in networks if network.source.signed), networks[0])
    for network in networks:
        if len(networks) > 1 and not fits_source(network.source, chosen.source):
            raise UnsupportedError(
                f"layer {network.layers[0].name!r} reads values of {network.source}, and layer "
                f"{chosen.layers[0].name!r} of {chosen.source}; beside a signed input an unsigned one may have at most "
                f"{ELEMENT_BITS - 1} bits: give the values before {network.layers[0].name!r} a signed quantizer, or "
                "fewer bits"
            )
    return chosen.source


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
