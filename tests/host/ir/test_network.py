# SPDX-License-Identifier: Apache-2.0
"""Layers: their matrices, accessed by name, what they refuse, and the range of a GRU's output."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ese_host.errors import EseError, FormatError, UnsupportedError
from ese_host.ir import golden
from ese_host.ir.activations import Activation, check_cell
from ese_host.ir.fixed import Fixed
from ese_host.ir.network import CELL_ROWS, GATES, PARTS, Gru, Lstm, Matrix, Network
from support.networks import Cell, Spec, network

PROJECTED = Spec(inputs=3, units=(6,), projection=5, outputs=4)


def gru(cell: Cell) -> Gru:
    """A GRU of three inputs and four cells."""
    (layer,) = network(np.random.default_rng(0), Spec(inputs=3, units=(4,), cells=(cell,), outputs=0)).layers
    assert isinstance(layer, Gru)
    return layer


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


def test_the_matrices_of_a_gru_add_to_their_rows_of_a_cell() -> None:
    places = {part: gru("gru").places(part) for part in gru("gru").matrices()}
    assert places == {"kernel": (0, 1, 2), "recurrent": (0, 1, 3)}
    before = gru("gru_before")
    assert before.matrices() == {
        "kernel": before.kernel,
        "recurrent": before.recurrent,
        "candidate": before.candidate,
    }
    places = {part: before.places(part) for part in before.matrices()}
    assert places == {"kernel": (0, 1, 2), "recurrent": (0, 1), "candidate": (3,)}


def _rows(matrix: Matrix, count: int) -> Matrix:
    """The first rows of a matrix."""
    return replace(matrix, codes=matrix.codes[:count], scale=matrix.scale[:, :count])


BIAS = np.zeros(16, dtype=np.int64)
NARROW = replace(gru("gru_before").recurrent, codes=gru("gru_before").recurrent.codes[:, :3])


@pytest.mark.parametrize(
    ("cell", "changes", "message"),
    [
        ("gru", {"kernel": _rows(gru("gru").kernel, 11)}, "kernel rows is 11; expected 12"),
        ("gru", {"recurrent": _rows(gru("gru").recurrent, 8)}, r"recurrent kernel is \(8, 4\); expected \(12, 4\)"),
        ("gru_before", {"recurrent": NARROW}, r"recurrent kernel is \(8, 3\); expected \(8, 4\)"),
        (
            "gru_before",
            {"candidate": _rows(gru("gru").recurrent, 5)},
            r"candidate kernel is \(5, 4\); expected \(4, 4\)",
        ),
        ("gru", {"bias": BIAS[:12]}, "kernel rows is 12; expected 9"),
        ("gru", {"bias": np.zeros(17, dtype=np.int64)}, r"bias is \(17,\); expected \(16,\)"),
        ("gru_before", {"bias": BIAS[:0]}, "kernel rows is 12; expected 0"),
        (
            "gru_before",
            {"bias": BIAS - np.eye(16, dtype=np.int64)[13] * 5},
            "largest bias of the candidate's recurrent part is 5; expected 0",
        ),
        ("gru_before", {"candidate": None}, "it has no candidate kernel and a format of r \\* h; a GRU has both"),
        ("gru_before", {"reset": None}, "it has a candidate kernel and no format of r \\* h; a GRU has both"),
        ("gru", {"reset": Fixed(16, 4)}, "it has no candidate kernel and a format of r \\* h; a GRU has both"),
        ("gru", {"delta_state": -1}, "delta_state is -1; 0 to 65535 are allowed"),
        ("gru", {"delta_input": 1 << 16}, "delta_input is 65536; 0 to 65535 are allowed"),
        (
            "gru",
            {"gate": Activation("tanh", Fixed(8, 1))},
            "recurrent_activation is tanh; the gates of a GRU need a sigmoid or a hard sigmoid",
        ),
    ],
)
def test_parts_of_a_gru_that_do_not_fit_are_refused(cell: Cell, changes: dict[str, Any], message: str) -> None:
    with pytest.raises((FormatError, UnsupportedError), match=f"^layer 'gru0': {message}"):
        replace(gru(cell), **changes)


@given(
    state=st.builds(Fixed, st.integers(4, 16), st.integers(-4, 8), symmetric=st.booleans()),
    gate=st.builds(Fixed, st.integers(1, 17), st.integers(0, 1), signed=st.just(False)),
    cell=st.builds(Fixed, st.integers(2, 18), st.integers(-2, 2), symmetric=st.booleans()),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_exact_output_of_a_gru_holds_every_h(state: Fixed, gate: Fixed, cell: Fixed, seed: int) -> None:
    """However the gates and the candidate change, no h before rounding leaves the range, and the range is reached."""
    functions = Activation("sigmoid", gate), Activation("tanh", cell)
    try:
        check_cell("here", state, *functions)
        layer = replace(gru("gru"), state=state, gate=functions[0], cell=functions[1])
    except EseError:
        return
    frac, low, high = layer.exact_range
    form, rng, h = layer.exact_output, np.random.default_rng(seed), 0
    assert form.frac == frac and form.low <= low and high <= form.high
    one, up = 1 << gate.frac, frac - gate.frac
    for _ in range(50):
        z = int(rng.choice([0, functions[0].high, rng.integers(functions[0].high + 1)]))
        g = int(rng.choice([functions[1].low, functions[1].high]))
        exact = (z * h << up - state.frac) + ((one - z) * g << up - cell.frac)
        assert low <= exact <= high
        h = int(state.quantize(exact, frac))


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
