"""Activations: every kind has a function, and only valid ones are decoded; test_golden.py tests their values."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from ese_host.errors import FormatError
from ese_host.files.decoder import decode
from ese_host.ir.activations import KINDS, LIMIT_BITS, Activation, ActivationKind, activate
from ese_host.ir.fixed import Fixed
from ese_host.ir.tables import tanh_table


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_computed_and_grows_with_its_input(kind: ActivationKind) -> None:
    activation = Activation(kind, Fixed(12, 1), 16384, 0)
    x = np.arange(-(9 << 10), 9 << 10, 5)
    codes = activate(x, 10, activation, tanh_table())
    assert codes.shape == x.shape and (np.diff(codes) >= 0).all() and codes.min() < codes.max()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("hard_")])
def test_a_hard_activation_holds_its_input(kind: ActivationKind) -> None:
    activation = Activation(kind, Fixed(16, 8), 32768, 16384)
    limit = (1 << LIMIT_BITS) << 12
    for far, integer in ((1 << 40, np.int64), (limit, np.int64), (limit, np.int32)):
        x: Any = np.array([far, -far], dtype=integer)
        assert activate(x, 12, activation, tanh_table()).tolist() == [64.5 * 256, -63.5 * 256]


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
