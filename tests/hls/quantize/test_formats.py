"""Formats of activation quantizers give the values that the quantizers compute."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qkeras import quantized_bits, quantized_linear, quantized_relu

from ese_hls.quantize.formats import QUANTIZERS, format_of, is_format
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
            r"here is quantized_linear\(1,0,0\), which gives only a sign; 2 bits or more are allowed",
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


def test_a_quantizer_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    class bits_of_mine(quantized_bits):  # noqa: N801
        pass

    mine, plain = bits_of_mine(4, 1, alpha=1.0), quantized_bits(4, 1, alpha=1.0)
    assert not is_format(mine)
    monkeypatch.setitem(QUANTIZERS, "bits_of_mine", QUANTIZERS["quantized_bits"])
    assert is_format(mine) and format_of(mine, "here") == format_of(plain, "here")
    values = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    found, expected = (matrix_of(WeightTensor("dense", "kernel", values, q), 28)[0] for q in (mine, plain))
    assert found.kind == expected.kind and np.array_equal(found.values(), expected.values())
