"""Random networks of integers with LSTM and GRU layers beside each other, which may differ in their formats."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from ese_host.ir import Activation, Dense, Fixed, Gru, Layer, Lstm, Network
from support.networks import HARD, HARD8, SMOOTH, SMOOTH8, SMOOTH16, Rng, Spec, dense, lstm, matrix, widened

CellKind = Literal["lstm", "gru", "gru-before"]
CELL_KINDS: tuple[CellKind, ...] = ("lstm", "gru", "gru-before")
"""LSTM, GRU with `reset_after`, and GRU without."""
STATES = (Fixed(16, 4), Fixed(8, 3), Fixed(12, 2, symmetric=True))
OUTPUTS = (Fixed(16, 1), Fixed(8, 2), Fixed(15, 1, signed=False))
ACTIVATIONS: tuple[tuple[Activation, Activation], ...] = (SMOOTH8, SMOOTH16, SMOOTH, HARD, HARD8)


def gru(
    rng: Rng, name: str, inputs: int, units: int, source: Fixed, spec: Spec, last: bool, reset_after: bool
) -> Gru:  # fmt: skip
    """A random GRU layer. Its kernels have equal scales by chance, so that they may share an accumulator.

    Args:
        rng: source of random numbers.
        name: of the layer.
        inputs: width of its input.
        units: its cells.
        source: format of its input.
        spec: everything else.
        last: whether no recurrent layer follows it.
        reset_after: whether r multiplies the candidate's recurrent sum, and not h before it.
    """
    gate, cell = spec.activations
    kernel = matrix(rng, 3 * units, inputs, spec)
    recurrent = matrix(rng, (3 if reset_after else 2) * units, units, spec)
    if rng.integers(2):
        scale = recurrent.scale.copy()
        scale[:, : 2 * units] = kernel.scale[:, : 2 * units]
        recurrent = replace(recurrent, scale=scale)
    bias = rng.integers(-(1 << 13), 1 << 13, 4 * units)
    candidate, reset = None, None
    if not reset_after:
        bias[3 * units :] = 0
        candidate = matrix(rng, units, units, spec)
        # r * h as an engine stores it: exact if it can be, else rounded; a narrow format saturates
        exact = Fixed(gate.out.bits + spec.state.bits, gate.out.integer + spec.state.integer)
        fitting = exact if exact.bits <= 16 else Fixed(16, spec.state.integer)
        reset = fitting if rng.integers(2) else Fixed(6, spec.state.integer - 1, symmetric=True)
    return Gru(
        name=name,
        kernel=kernel,
        recurrent=recurrent,
        bias=bias,
        bias_frac=12,
        gate=gate,
        cell=cell,
        source=source,
        state=spec.state,
        output=OUTPUTS[rng.integers(len(OUTPUTS))] if rng.integers(2) else spec.state,
        return_sequences=spec.sequences or not last,
        candidate=candidate,
        reset=reset,
        delta_input=spec.delta[0] if reset_after else None,
        delta_state=spec.delta[1] if reset_after else None,
    )


def mixed_network(rng: Rng, spec: Spec, cells: tuple[CellKind, ...], one_set: bool = False) -> Network:
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
            layer = gru(rng, f"layer{index}", width, units, source, own, last, kind == "gru")
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
