# SPDX-License-Identifier: Apache-2.0
"""Matrices of all weight quantizers hold the values that the quantizers compute."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qkeras import (
    binary,
    quantized_bits,
    quantized_linear,
    quantized_po2,
    quantized_relu,
    quantized_relu_po2,
    stochastic_binary,
    stochastic_ternary,
    ternary,
)

from ese_hls.quantize.fixed_point import codes16, scaled
from ese_hls.quantize.tensors import WeightTensor
from ese_hls.quantize.weight_kind import as_kind, common_kind, narrowest
from ese_hls.quantize.weights import bias_of, evaluate, matrix_of
from ese_host.errors import MismatchError, UnsupportedError
from ese_host.ir.network import Matrix
from ese_host.ir.weight_kinds import WEIGHT_KINDS

ALPHAS = [0.5, 1.0, 2.0, 0.25, 4.0, 0.125]
MAX_FRAC = 28


def weights(seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    values = rng.normal(scale=0.5, size=(12, 6)).astype(np.float32)
    return np.where(rng.random(values.shape) < 0.5, 0, values).astype(np.float32)


def tensor(quantizer: Any, values: Any = None, **changes: Any) -> WeightTensor:
    return WeightTensor("dense", "kernel", weights() if values is None else values, quantizer, **changes)


EXACT: dict[str, tuple[Any, str]] = {
    "3 bits": (quantized_bits(3, 0, alpha=1.0), "int4"),
    "2 bits symmetric": (quantized_bits(2, 0, 1, alpha=1.0), "ternary"),
    "1 bit": (quantized_bits(1, 0, alpha=1.0), "ternary"),
    "8 bits": (quantized_bits(8, 0, alpha=1.0), "int8"),
    "8 bits, alpha None": (quantized_bits(8, 0, alpha=None), "int8"),
    "8 bits, alpha 0.75": (quantized_bits(8, 0, alpha=0.75), "int8"),
    "8 bits, alpha by output": (quantized_bits(8, 0, alpha=ALPHAS), "int8"),
    "8 bits unsigned": (quantized_bits(8, 1, keep_negative=False, alpha=1.0), "int8"),
    "8 bits symmetric": (quantized_bits(8, 0, 1, alpha=1.0), "int8"),
    "8 bits auto_po2": (quantized_bits(8, 0, alpha="auto_po2"), "int8"),
    "8 bits auto_po2 by input": (quantized_bits(8, 0, alpha="auto_po2", scale_axis=0), "int12"),
    "4 bits auto_po2 by three inputs": (
        quantized_bits(4, 0, alpha="auto_po2", scale_axis=0, elements_per_scale=3),
        "int8",
    ),
    "4 bits after training": (
        quantized_bits(4, 0, alpha="auto_po2", post_training_scale=np.array([ALPHAS])),
        "int4",
    ),
    "9 bits": (quantized_bits(9, 0, alpha=1.0), "int12"),
    "12 bits": (quantized_bits(12, 1, alpha=1.0), "int12"),
    "16 bits": (quantized_bits(16, 0, alpha=1.0), "int16"),
    "16 bits auto_po2": (quantized_bits(16, 0, alpha="auto_po2"), "int16"),
    "linear": (quantized_linear(8, 1), "int8"),
    "linear auto_po2": (quantized_linear(4, 0, alpha="auto_po2"), "int4"),
    "linear, alpha 0.25": (quantized_linear(4, 0, alpha=0.25), "int4"),
    "linear 1 bit": (quantized_linear(1, 0, symmetric=0), "ternary"),
    "binary": (binary(alpha=1.0), "ternary"),
    "binary auto_po2": (binary(alpha="auto_po2"), "ternary"),
    "binary of 0 and 1": (binary(use_01=True, alpha=0.5), "ternary"),
    "stochastic binary": (stochastic_binary(alpha="auto_po2"), "ternary"),
    "ternary": (ternary(), "ternary"),
    "ternary by threshold": (ternary(alpha=0.5, threshold=0.1), "ternary"),
    "ternary auto_po2": (ternary(alpha="auto_po2"), "ternary"),
    "stochastic ternary": (stochastic_ternary(alpha="auto_po2"), "ternary"),
    "powers of two": (quantized_po2(4), "int8"),
    "even powers of two": (quantized_po2(4, quadratic_approximation=True), "int8"),
    "powers of two, rectified": (quantized_relu_po2(3, 1), "int12"),
    "a quantizer of which only the values are known": (quantized_relu(6, 1), "int8"),
}


@pytest.mark.parametrize("name", EXACT)
def test_values_are_those_of_the_quantizer(name: str) -> None:
    quantizer, kind = EXACT[name]
    matrix, report = matrix_of(tensor(quantizer), MAX_FRAC)
    assert np.array_equal(matrix.values().T, evaluate(quantizer, weights()))
    assert (report.deviation, report.kind, matrix.kind) == (0, kind, kind)


@pytest.mark.parametrize(
    ("quantizer", "bound"),
    [
        (quantized_bits(4, 0, alpha="auto"), 2**-16),
        (quantized_bits(8, 0, alpha="auto"), 2**-16),
        (quantized_bits(8, 0, alpha=0.3), 2**-16),
        (quantized_bits(8, 0, alpha="auto", scale_axis=0), 2**-15),
        (quantized_bits(12, 0, alpha="auto"), 2**-14),
        (quantized_bits(16, 0, alpha="auto"), 2**-15),
        (quantized_linear(8, 0, alpha="auto"), 2**-16),
        (ternary(alpha="auto"), 2**-16),
        (binary(alpha="auto"), 2**-16),
        (quantized_po2(8), 2**-16),
        (quantized_bits(16, 0, keep_negative=False, alpha=1.0), 2**-15),
    ],
    ids=str,
)
def test_what_16_bits_do_not_hold_is_reported(quantizer: Any, bound: float) -> None:
    matrix, report = matrix_of(tensor(quantizer), MAX_FRAC)
    values = evaluate(quantizer, weights())
    difference = np.abs(matrix.values().T - values).max()
    assert 0 < report.deviation <= bound * np.abs(values).max()
    assert report.deviation == pytest.approx(difference, abs=1e-7)


def test_few_fractional_bits_round_levels_rather_than_scales() -> None:
    values = weights()
    matrix, report = matrix_of(tensor(quantized_bits(16, 0, alpha="auto")), 16)
    assert report.deviation <= 2.0**-15
    assert matrix.scale_frac <= 16
    assert narrowest(matrix.levels) == "int16"
    assert np.abs(values).max() > 1


def test_the_last_bit_of_float32_is_no_deviation() -> None:
    noisy, plain = (quantized_bits(16, 1, alpha=45875 / 65536, use_ste=ste) for ste in (True, False))
    matrix, report = matrix_of(tensor(noisy), 32)
    assert report.deviation == 0
    assert np.array_equal(matrix.values().T.astype(np.float32), evaluate(plain, weights()))
    assert not np.array_equal(matrix.values().T, evaluate(noisy, weights()))


def test_zero_weights_that_a_quantizer_fills_are_counted() -> None:
    _, report = matrix_of(tensor(binary(alpha=1.0)), MAX_FRAC)
    assert (report.kept, report.filled) == (weights().size, int((weights() == 0).sum()))


class Coded:
    """A quantizer with only the protocol of docs/reference/weights.md."""

    def __init__(self, kind: str, book: Any = None, factor: float = 1.0) -> None:
        self.kind, self.factor = kind, factor
        if book is not None:
            self.codebook = book

    def codes_and_scale(self, values: Any) -> tuple[Any, Any, int]:
        if self.kind == "codebook4":
            return np.where(values > 0, 3, np.where(values < 0, 1, 0)), np.full(values.shape[1], 5), 6
        outputs = values.shape[1]
        return np.sign(values).astype(int), np.stack([np.full(outputs, 3), np.full(outputs, 5)]), 4

    def __call__(self, values: Any) -> Any:
        codes, scale, frac = self.codes_and_scale(np.asarray(values))
        book = getattr(self, "codebook", np.arange(16))
        levels = book[codes] if self.kind == "codebook4" else codes
        pair = np.broadcast_to(scale, (2, codes.shape[1]))
        return (levels * np.where(levels >= 0, pair[0], pair[1]) * 2.0**-frac * self.factor).astype(np.float32)


BOOK = np.array([0, -700, 20, 900, *range(12)])


@pytest.mark.parametrize(("kind", "book"), [("ternary", None), ("int4", None), ("int12", None), ("codebook4", BOOK)])
def test_protocol_of_quantizers_that_tell_their_codes(kind: str, book: Any) -> None:
    quantizer = Coded(kind, book)
    matrix, report = matrix_of(tensor(quantizer), MAX_FRAC)
    assert (matrix.kind, report.deviation) == (kind, 0)
    assert matrix.two_scales == (kind != "codebook4")
    assert np.array_equal(matrix.values().T, quantizer(weights()))


def test_codes_that_are_not_the_values_are_refused() -> None:
    with pytest.raises(
        MismatchError, match=r"layer 'dense': kernel: .* as ternary codes .* correct its codes_and_scale"
    ):
        matrix_of(tensor(Coded("ternary", factor=1.1)), MAX_FRAC)


def matrix(kind: str, *levels: int, book: Any = None) -> Matrix:
    codes = np.array([levels])
    return Matrix(codes, kind, np.array([[3], [3]]), 1, book)  # type: ignore[arg-type]


def test_one_kind_holds_all() -> None:
    small, wide = matrix("ternary", 1, -1), matrix("int8", 100)
    kind, why = common_kind([("a", small), ("b", wide), ("c", small)])
    assert kind == "int8"
    assert why == (
        "weights are int8, the narrowest kind that holds all of them: b has levels 100..100; "
        "2 of 3 matrices would fit a narrower kind"
    )
    assert np.array_equal(as_kind(small, kind).values(), small.values())
    assert common_kind([("a", small), ("b", wide)], "int12") == (
        "int12",
        "weights are int12, as configured; int8 would hold all of them",
    )
    with pytest.raises(
        UnsupportedError, match=r"is 'int4', but b has levels 100..100, which need int8: leave 'WeightCode'"
    ):
        common_kind([("a", small), ("b", wide)], "int4")


def test_codebooks_stay_alone_and_expand_beside_others() -> None:
    book = matrix("codebook4", 1, 3, book=BOOK)
    assert common_kind([("a", book), ("b", book)]) == (
        "codebook4",
        "weights are codebook4: every matrix has a codebook",
    )
    kind, _ = common_kind([("a", book), ("b", matrix("ternary", 1))])
    assert kind == "int12"
    assert np.array_equal(as_kind(book, kind).codes, [[-700, 900]])
    with pytest.raises(
        UnsupportedError, match=r"a has levels 40000..40000; the engine holds levels -32768..32767: scale the"
    ):
        common_kind([("a", matrix("codebook4", 1, book=np.array([0, 40000, *range(14)]))), ("b", matrix("int4", 1))])


@given(st.integers(-(1 << 15), (1 << 15) - 1), st.integers(-(1 << 15), (1 << 15) - 1))
def test_narrowest_kind(low: int, high: int) -> None:
    kind = narrowest(np.array([low, high]))
    assert kind is not None
    fits = [
        k
        for k, held in WEIGHT_KINDS.items()
        if k != "codebook4" and held.low <= min(low, high) and max(low, high) <= held.high
    ]
    assert kind == fits[0]


@given(st.integers(0, 1000), st.floats(2**-20, 8), st.integers(0, 30))
def test_scaled_levels_are_within_half_a_step(seed: int, step: float, max_frac: int) -> None:
    levels = np.random.default_rng(seed).integers(-128, 128, (5, 1))
    found, scale, frac = scaled(levels, np.array([step]), max_frac)
    grid = max(step, 2.0**-max_frac)
    assert np.abs(found * np.ldexp(scale, -frac) - levels * step).max() <= grid
    assert 0 <= frac <= max_frac and scale.min() >= 0 and scale.max() < 1 << 16
    assert np.abs(found).max() <= np.abs(levels).max()


@given(st.lists(st.integers(-(1 << 14), 1 << 14), min_size=1, max_size=8), st.integers(0, 20))
def test_codes_of_16_bits_are_exact_where_they_can_be(values: list[int], frac: int) -> None:
    exact = np.ldexp(np.array(values, dtype=float), -frac)
    codes, found = codes16(exact)
    assert np.array_equal(np.ldexp(codes.astype(float), -found), exact)


@pytest.mark.parametrize(
    "quantizer",
    [quantized_bits(8, 2, alpha=1), quantized_bits(16, 1), ternary(alpha=0.5), binary(alpha=1.0), quantized_po2(4)],
    ids=str,
)
def test_bias_quantizers_of_any_kind(quantizer: Any) -> None:
    values = weights()[:, 0]
    codes, frac, report = bias_of(WeightTensor("dense", "bias", values, quantizer), len(values))
    assert report is not None and report.deviation == 0
    assert np.allclose(np.ldexp(codes, -frac), evaluate(quantizer, values), rtol=2**-21, atol=0)
