"""The matrices of a layer, accessed by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ese_host.ir.network import CELL_ROWS, GATES, PARTS, Lstm, Matrix
from support.networks import Spec, network

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
