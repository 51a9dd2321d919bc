"""Random networks of integers with LSTM and GRU layers beside each other, which may differ in their formats."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from ese_host.ir import Activation, Dense, Fixed, Gru, Layer, Lstm, Network
from support.networks import HARD, HARD8, SMOOTH, SMOOTH8, SMOOTH16, Cell, Rng, Spec, dense, gru, lstm, widened

CELL_KINDS: tuple[Cell, ...] = get_args(Cell)
STATES = (Fixed(16, 4), Fixed(8, 3), Fixed(12, 2, symmetric=True))
OUTPUTS = (Fixed(16, 1), Fixed(8, 2), Fixed(15, 1, signed=False))
ACTIVATIONS: tuple[tuple[Activation, Activation], ...] = (SMOOTH8, SMOOTH16, SMOOTH, HARD, HARD8)


def varied(rng: Rng, layer: Gru, spec: Spec) -> Gru:
    """A GRU layer in which something else is as before or drawn anew: equal scales, by which its kernels may share an
    accumulator; the format of r * h, which may be narrow and saturate; and that of its output.

    Args:
        rng: source of random numbers.
        layer: the layer.
        spec: gives the state's format.
    """
    if rng.integers(2):
        scale = layer.recurrent.scale.copy()
        scale[:, : 2 * layer.units] = layer.kernel.scale[:, : 2 * layer.units]
        layer = replace(layer, recurrent=replace(layer.recurrent, scale=scale))
    if layer.reset is not None and rng.integers(2):
        layer = replace(layer, reset=Fixed(6, spec.state.integer - 1, symmetric=True))
    return replace(layer, output=OUTPUTS[rng.integers(len(OUTPUTS))] if rng.integers(2) else spec.state)


def mixed_network(rng: Rng, spec: Spec, cells: tuple[Cell, ...], one_set: bool = False) -> Network:
    """A random network with a recurrent layer of each kind in order, hidden fully connected layers and a last layer.

    State and activations of each recurrent layer are drawn anew, and so are projection and peepholes of an LSTM.

    Args:
        rng: source of random numbers.
        spec: widths and weights; its `units` have a number for each recurrent layer.
        cells: kinds of the recurrent layers.
        one_set: whether all recurrent layers have the spec's state and activations instead.
    """
    layers: list[Layer] = []
    width, source = spec.inputs, spec.source
    for index, (kind, units) in enumerate(zip(cells, spec.units, strict=True)):
        own = spec
        if not one_set:
            state, functions = STATES[rng.integers(len(STATES))], ACTIVATIONS[rng.integers(len(ACTIVATIONS))]
            own = widened(spec, state=state, activations=functions)
        last = index == len(cells) - 1
        layer: Lstm | Gru
        if kind == "lstm":
            own = widened(own, projection=int(rng.choice([0, units - 1])), peepholes=bool(rng.integers(2)))
            layer = lstm(rng, f"layer{index}", width, units, source, own, last)
        else:
            made = gru(rng, f"layer{index}", width, units, source, own, last, kind == "gru")
            layer = varied(rng, made, own)
        if last and not (spec.outputs or spec.hidden) and rng.integers(2):
            layer = replace(layer, output=None) if not _projected(layer) else layer
        layers.append(layer)
        width, source = layer.outputs, layer.passed_on
    layers += _fully_connected(rng, spec, width, source)
    return Network(tuple(layers), spec.source)


def _projected(layer: Lstm | Gru) -> bool:
    return isinstance(layer, Lstm) and layer.projection is not None


def _fully_connected(rng: Rng, spec: Spec, width: int, source: Fixed) -> list[Dense]:
    """The fully connected layers behind the recurrent ones, which read `width` values of the format `source`."""
    layers = []
    for index, rows in enumerate(spec.hidden):
        layers.append(dense(rng, f"hidden{index}", width, rows, source, spec, spec.stored))
        width, source = rows, spec.stored
    if spec.outputs:
        layers.append(dense(rng, "classes", width, spec.outputs, source, spec, None))
    return layers
