# SPDX-License-Identifier: Apache-2.0
"""Random networks of integers with LSTM and GRU layers beside each other, which may differ in their formats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ese_host.ir import Activation, Codes, Fixed, Gru, Layer, Network
from support.networks import HARD, HARD8, SMOOTH, SMOOTH8, SMOOTH16, Rng, Spec, dense, recurrent, widened

STATES = (Fixed(16, 4), Fixed(8, 3), Fixed(12, 2, symmetric=True))
OUTPUTS = (Fixed(16, 1), Fixed(8, 2), Fixed(15, 1, signed=False))
ACTIVATIONS: tuple[tuple[Activation, Activation], ...] = (SMOOTH8, SMOOTH16, SMOOTH, HARD, HARD8)


def mixed_network(rng: Rng, spec: Spec, one_set: bool = False, choices: Sequence[Spec] = ()) -> Network:
    """A random network of recurrent layers, hidden fully connected layers, and a last layer.

    Activations, state and output of each recurrent layer are drawn anew, and so are an LSTM's projection and peepholes,
    or the format of r * h in a GRU without `reset_after`. Such a GRU has no thresholds.

    Args:
        rng: source of random numbers.
        spec: widths, cells and weights.
        one_set: whether all recurrent layers have the spec's activations, state and output instead.
        choices: specifications; if there are any, each recurrent layer has activations, state and output of one.
    """
    layers: list[Layer] = []
    width, source = spec.inputs, spec.source
    for index, (cell, units) in enumerate(zip(spec.cells, spec.units, strict=True)):
        own = spec if one_set else _drawn(rng, spec, choices)
        own = widened(own, projection=int(rng.choice([0, units - 1])), peepholes=bool(rng.integers(2)))
        if cell == "gru_before":
            narrow = Fixed(6, 0, symmetric=True)  # r * h, which is between -1 and 1, leaves it often
            own = widened(own, delta=(None, None), reset=narrow if rng.integers(2) else None)
        last = index == len(spec.cells) - 1
        if last and not (spec.outputs or spec.hidden) and rng.integers(2):
            own = widened(own, output=None)
        layer = recurrent(rng, f"layer{index}", cell, width, units, source, own, last)
        layers.append(_sharing(rng, layer) if isinstance(layer, Gru) else layer)
        width, source = layer.outputs, layer.passed_on
    for index, rows in enumerate(spec.hidden):
        layers.append(dense(rng, f"hidden{index}", width, rows, source, spec, spec.stored))
        width, source = rows, spec.stored
    if spec.outputs:
        layers.append(dense(rng, "classes", width, spec.outputs, source, spec, None))
    return Network(tuple(layers), spec.source)


def _drawn(rng: Rng, spec: Spec, choices: Sequence[Spec]) -> Spec:
    """The specification with activations, state and output of its own, or of one of the choices."""
    if choices:
        choice = choices[rng.integers(len(choices))]
        return widened(spec, state=choice.state, output=choice.output, activations=choice.activations)
    state = STATES[rng.integers(len(STATES))]
    return widened(
        spec,
        state=state,
        output=OUTPUTS[rng.integers(len(OUTPUTS))] if rng.integers(2) else state,
        activations=ACTIVATIONS[rng.integers(len(ACTIVATIONS))],
    )


def _sharing(rng: Rng, layer: Gru) -> Gru:
    """A GRU whose kernels, by chance, have equal scales, so that they may share accumulators."""
    if not rng.integers(2):
        return layer
    scale: Codes = layer.recurrent.scale.copy()
    scale[:, : 2 * layer.units] = layer.kernel.scale[:, : 2 * layer.units]
    return replace(layer, recurrent=replace(layer.recurrent, scale=scale))
