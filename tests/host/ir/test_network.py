"""The matrices of a layer, accessed by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ese_host.ir import golden
from ese_host.ir.activations import Activation
from ese_host.ir.fixed import Fixed
from ese_host.ir.network import CELL_ROWS, GATES, PARTS, Gru, Lstm, Matrix, Network
from support.networks import Cell, Spec, network

PROJECTED = Spec(inputs=3, units=(6,), projection=5, outputs=4)


@pytest.mark.parametrize("spec", [PROJECTED, Spec(inputs=3, units=(6,), outputs=4)])
def test_the_matrices_of_a_layer_are_all_of_its_matrices(spec: Spec) -> None:
    for layer in network(np.random.default_rng(0), spec).layers:
        fields = {name: value for name, value in vars(layer).items() if isinstance(value, Matrix)}
        assert layer.matrices() == fields and tuple(fields) == PARTS[: len(fields)]
        for part, matrix in layer.matrices().items():
            cells = isinstance(layer, Lstm) and part != "projection"
            rows, places = (layer.bias.size // GATES, CELL_ROWS) if cells else (layer.outputs, (0,))
            assert layer.places(part) == places and len(matrix.codes) == len(places) * rows


def test_a_part_names_the_field_that_holds_it() -> None:
    layer = network(np.random.default_rng(0), PROJECTED).layers[0]
    for part, matrix in layer.matrices().items():
        changes: dict[str, Any] = {part: replace(matrix, scale_frac=3)}
        changed = replace(layer, **changes)
        assert [m.scale_frac for m in changed.matrices().values()].count(3) == 1
        assert changed.matrices()[part].scale_frac == 3


def hard(bits: int) -> tuple[Activation, Activation]:
    """Hard activations of gates and cell, rounded to a number of bits."""
    gate = Activation("hard_sigmoid", Fixed(bits, 0, signed=False), 1 << 14, 1 << 14)
    return gate, Activation("hard_tanh", Fixed(bits, 1), 1 << 15, 0)


TO_ONE = Activation("sigmoid", Fixed(17, 1, signed=False)), Activation("tanh", Fixed(18, 2))
CELLS = {
    "8 bits": (hard(8), Fixed(8, 2), Fixed(16, 1)),
    "finer state": (hard(8), Fixed(16, 2), Fixed(23, 1)),
    "coarse state": (hard(4), Fixed(3, 3), Fixed(8, 1)),
    "values of one": (TO_ONE, Fixed(12, 2), Fixed(34, 2)),
}
"""Activations, a state, and the format of the exact outputs of a GRU."""


@pytest.mark.parametrize("cell", ["gru", "gru_before"])
@pytest.mark.parametrize("case", CELLS)
def test_the_outputs_of_a_gru_are_within_its_exact_format(case: str, cell: Cell) -> None:
    activations, state, expected = CELLS[case]
    rng = np.random.default_rng(0)
    spec = Spec(inputs=3, units=(9,), cells=(cell,), activations=activations, state=state, output=None, outputs=0)
    layer = network(rng, spec).layers[0]
    assert isinstance(layer, Gru)
    large = replace(layer.kernel, scale=np.full_like(layer.kernel.scale, 1 << 15), scale_frac=12)
    layer = replace(layer, kernel=large)
    inputs = rng.integers(layer.source.low, layer.source.high, (60, 20, 3))
    (found,) = golden.run(Network((layer,), layer.source), inputs).layers
    frac, low, high = layer.exact_range
    assert (layer.exact_output, frac) == (expected, found.exact_frac)
    assert low <= found.exact.min() < 0.9 * low and 0.9 * high < found.exact.max() <= high
