# SPDX-License-Identifier: Apache-2.0
"""Formats of activation quantizers give the values that the quantizers compute."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from qkeras import quantized_bits, quantized_linear, quantized_relu, quantizers

from ese_hls.quantize.formats import activation_of, format_of, is_format, is_known, is_quantizer, name_of
from ese_hls.quantize.tensors import WeightTensor
from ese_hls.quantize.weights import evaluate, matrix_of
from ese_host.errors import UnsupportedError
from ese_host.ir.fixed import Fixed


def named(value: Any) -> str:
    """A quantizer by its class, since str() of some quantizers fails."""
    return "" if isinstance(value, (str, Fixed)) else type(value).__name__


FORMATS: list[tuple[Any, Fixed]] = [
    (quantized_bits(8, 2, alpha=1.0), Fixed(8, 3)),
    (quantized_bits(8, 2), Fixed(8, 3)),
    (quantized_bits(8, 2, 1), Fixed(8, 3, symmetric=True)),
    (quantized_bits(6, 1, keep_negative=False), Fixed(6, 1, signed=False)),
    (quantized_linear(8, 2, symmetric=0), Fixed(8, 3)),
    (quantized_linear(8, 2), Fixed(8, 3, symmetric=True)),
    (quantized_linear(8, 2, alpha=4.0), Fixed(8, 5, symmetric=True)),
    (quantized_linear(8, 0, alpha=0.25, symmetric=0), Fixed(8, -1)),
    (quantized_linear(6, 1, keep_negative=False, alpha=2), Fixed(6, 2, signed=False)),
    (quantized_relu(8, 2), Fixed(8, 2, signed=False)),
    (quantized_relu(8, 2, relu_upper_bound=1.5), Fixed(8, 2, signed=False)),
    (quantized_relu(8, 2, is_quantized_clip=False), Fixed(8, 2, signed=False)),
    (quantized_relu(8, 2, relu_upper_bound=9.0, is_quantized_clip=False), Fixed(8, 2, signed=False)),
    (quantized_relu(8, 3, relu_upper_bound=1 - 2**-5, is_quantized_clip=False), Fixed(5, 0, signed=False)),
]


@pytest.mark.parametrize(
    ("quantizer", "form"), FORMATS, ids=lambda value: str(value) if isinstance(value, Fixed) else ""
)
def test_values_are_those_of_the_quantizer(quantizer: Any, form: Fixed) -> None:
    grid = np.arange(-1200, 1200) / 64
    values = np.concatenate([grid, np.random.default_rng(0).normal(scale=3, size=500)]).astype(np.float32)
    found = format_of(quantizer, "here")
    assert found.fixed == form
    assert found.relu == (type(quantizer).__name__ == "quantized_relu")
    assert np.array_equal(form.to_float(form.from_float(values)), evaluate(quantizer, values))


@pytest.mark.parametrize(
    ("quantizer", "message"),
    [
        (
            quantized_bits(8, 2, alpha=2.0),
            r"here is .* with alpha=2.0, .*; alpha=None or 1.0 are allowed here: set the range",
        ),
        (
            quantized_bits(8, 2, alpha="auto_po2"),
            r"here is .* with alpha='auto_po2', a scale that no fixed-point format has;",
        ),
        (quantized_linear(8, 2, alpha=0.3), r"here is .* with alpha=0.3, .*; alpha=None or a power of two is allowed"),
        (
            quantized_linear(1, 0, symmetric=0),
            r"here is quantized_linear\(1,0,0\), whose single bit is a sign; 2 bits or more are allowed here",
        ),
        (quantized_relu(8, 2, negative_slope=0.25), r"here is .* with negative_slope=0.25; only 0 is allowed: leave"),
        (
            quantized_relu(8, 2, use_sigmoid=1),
            r"here is .* with use_sigmoid=1; only 0 is allowed: leave the",
        ),
        (
            quantized_relu(8, 3, relu_upper_bound=6.0, is_quantized_clip=False),
            r"with relu_upper_bound=6.0; only a power of two minus the step size 0.03125 .*: use 3.96875, or leave",
        ),
    ],
    ids=named,
)
def test_quantizers_that_are_no_formats(quantizer: Any, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        format_of(quantizer, "here")


def test_only_quantizers_of_qkeras_are_read_by_their_class() -> None:
    class bits_of_mine(quantized_bits):  # noqa: N801
        pass

    class quantized_linear(quantized_bits):  # noqa: N801 - a name that QKeras has, too
        pass

    plain = quantized_bits(4, 1, alpha=1.0)
    values = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    for mine in (bits_of_mine(4, 1, alpha=1.0), quantized_linear(4, 1, alpha=1.0)):
        assert not is_format(mine) and name_of(mine) == f"custom_{type(mine).__name__}"
        with pytest.raises(
            UnsupportedError,
            match=r"^here is .*, which is none of .* own; quantized_bits.* are allowed: use one of them",
        ):
            format_of(mine, "here")
        found, expected = (matrix_of(WeightTensor("dense", "kernel", values, q), 28)[0] for q in (mine, plain))
        assert np.array_equal(found.values(), expected.values())


def test_functions_are_known_by_identity() -> None:
    def tanh(x: Any) -> Any:
        return keras.activations.relu(x)

    def hard_sigmoid(x: Any) -> Any:
        return keras.activations.hard_sigmoid(x)

    for name in ("tanh", "sigmoid", "hard_sigmoid", "relu", "softmax", "linear"):
        assert is_known(getattr(keras.activations, name)) and name_of(keras.activations.get(name)) == name
    assert is_known(quantizers.hard_tanh) and is_known(keras.ops.tanh)
    for function in (tanh, hard_sigmoid, lambda x: x):
        assert not is_known(function) and name_of(function) == f"custom_{function.__name__}"
        with pytest.raises(
            UnsupportedError,
            match=r"^here is .*, which is none of .* own; tanh, sigmoid, .* are allowed: use one of them$",
        ):
            activation_of(function, "here", "gate")


SIGNS = [
    quantized_bits(1, 0, alpha=1),
    quantized_bits(1, 1),
    quantized_bits(1, 0, alpha=0.5),
    quantized_linear(1, 0),
    quantized_linear(1, 2, alpha=2.0),
]


@pytest.mark.parametrize("quantizer", SIGNS, ids=lambda quantizer: type(quantizer).__name__)
def test_one_signed_bit_is_no_format(quantizer: Any) -> None:
    assert is_quantizer(quantizer) and not is_format(quantizer)
    with pytest.raises(UnsupportedError, match=r"^here is "):
        format_of(quantizer, "here")


@pytest.mark.parametrize(
    ("quantizer", "message"),
    [
        (
            quantized_bits(8, 2, alpha=1, qnoise_factor=0.5),
            "with qnoise_factor=0.5; 1 is allowed: change qnoise_factor",
        ),
        (quantized_relu(8, 2, qnoise_factor=0.0), "with qnoise_factor=0.0; 1 is allowed"),
        (quantized_linear(8, 2, qnoise_factor=0.25), "with qnoise_factor=0.25; 1 is allowed"),
        (quantized_bits(7.5, 2, alpha=1), "with bits=7.5; whole numbers of 1 and more are allowed: change bits"),
        (quantized_bits(8, 0.5, alpha=1), "with integer=0.5; whole numbers are allowed: change integer"),
        (quantized_bits(8, 1, symmetric=2, alpha=1), "with symmetric=2.0; True and False are allowed"),
    ],
    ids=named,
)
def test_options_that_no_format_has(quantizer: Any, message: str) -> None:
    assert not is_format(quantizer)
    with pytest.raises(UnsupportedError, match=f"^here is .* {message}"):
        format_of(quantizer, "here")
