"""Activations: every kind has a function, and only valid ones are decoded; test_golden.py tests their values."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from ese_host.errors import FormatError, UnsupportedError
from ese_host.files.decoder import decode
from ese_host.ir.activations import KINDS, LIMIT_BITS, Activation, ActivationKind, activate, check_cell
from ese_host.ir.fixed import Fixed
from ese_host.ir.tables import tanh_table


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_computed_and_grows_with_its_input(kind: ActivationKind) -> None:
    activation = Activation(kind, Fixed(12, 1), 16384, 0)
    x = np.arange(-(9 << 10), 9 << 10, 5)
    codes = activate(x, 10, activation, tanh_table())
    assert codes.shape == x.shape and (np.diff(codes) >= 0).all() and codes.min() < codes.max()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", [Fixed(16, 8), Fixed(18, 2), Fixed(8, 1), Fixed(8, 1, symmetric=True), Fixed(4, 9)])
def test_an_activation_ends_at_the_end_points_of_its_function(kind: ActivationKind, form: Fixed) -> None:
    activation = Activation(kind, form, 32768, 16384 if kind == "hard_sigmoid" else 0)
    ends = [form.quantize(value, 0) for value in ((-1, 1) if kind.endswith("tanh") else (0, 1))]
    limit = (1 << LIMIT_BITS) << 12
    for far, integer in ((1 << 40, np.int64), (limit, np.int64), (limit, np.int32)):
        x: Any = np.array([-far, far], dtype=integer)
        assert activate(x, 12, activation, tanh_table()).tolist() == ends == [activation.low, activation.high]


@pytest.mark.parametrize(
    ("state", "gate", "cell", "message"),
    [
        (Fixed(8, 1), Fixed(18, 0, signed=False), Fixed(8, 1), "^here: recurrent_activation has 18 bits; at most 18 "),
        (Fixed(8, 1), Fixed(8, 0, signed=False), Fixed(26, 1), "^here: activation has 26 bits; at most 25 are allowed"),
        (
            Fixed(8, -17),
            Fixed(16, 0, signed=False),
            Fixed(8, 1),
            "^here: its new state needs 42 bits, 41 of ",
        ),
        (
            Fixed(16, 9),
            Fixed(17, 1, signed=False),
            Fixed(25, 2),
            "^here: its new state needs 49 bits, 39 of ",
        ),
        (Fixed(16, 8), Fixed(17, 1, signed=False), Fixed(25, 2), ""),
        (
            Fixed(16, 16),
            Fixed(17, 1, signed=False),
            Fixed(18, 2),
            "^here: its new state needs 49 bits, 32 of ",
        ),
        (Fixed(16, 16), Fixed(16, 0, signed=False), Fixed(16, 1), ""),
    ],
)
def test_formats_of_a_cell(state: Fixed, gate: Fixed, cell: Fixed, message: str) -> None:
    activations = Activation("sigmoid", gate), Activation("tanh", cell)
    if not message:
        check_cell("here", state, *activations)
        return
    with pytest.raises(UnsupportedError, match=message):
        check_cell("here", state, *activations)


def test_an_activation_is_read_back() -> None:
    for kind in KINDS:
        activation = Activation(kind, Fixed(9, 1, symmetric=True), 5, 7)
        assert decode(Activation, asdict(activation), "activation") == activation


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "cube"}, r"^activation: kind is 'cube'; expected "),
        ({"slope": 1.0}, r"^activation: slope is 1\.0; expected an integer"),
        ({"more": 1}, r"^activation has fields "),
        ({"out": 3}, r"^activation: out is 3; expected "),
    ],
)
def test_what_is_no_activation_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        decode(Activation, {**asdict(Activation("tanh", Fixed(8, 1))), **changes}, "activation")
