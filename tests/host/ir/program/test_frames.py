# SPDX-License-Identifier: Apache-2.0
"""Steps that compute from several elements, against float64, and their errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ese_host.errors import EseError, FormatError, UnsupportedError
from ese_host.ir import Codes, Fixed
from ese_host.ir.program import Embedding, Gather, Pool, Softmax, Standardize, Tensor, Value
from ese_host.ir.program.frames import power_table

SEEDS = st.integers(0, 2**32 - 1)


def vectors(codes: Codes, frac: int, low: int | None = None, high: int | None = None) -> Value:
    """(N, width) codes as vectors."""
    tensor = Tensor(
        codes.shape[1], frac, int(codes.min()) if low is None else low, int(codes.max()) if high is None else high,
        "vector", 1,
    )  # fmt: skip
    return Value(tensor, codes[:, None], np.ones(len(codes), dtype=np.int64))


def real(value: Value) -> Any:
    return np.ldexp(value.codes.astype(np.float64), -value.tensor.frac)


@given(SEEDS, st.integers(-70, 75), st.integers(1, 200), st.integers(1, 60))
def test_softmax_errs_by_less_than_its_last_bit(seed: int, frac: int, width: int, bits: int) -> None:
    codes = np.random.default_rng(seed).integers(-(1 << bits), 1 << bits, (5, width))
    value = vectors(codes, frac)
    x = np.ldexp(codes[:, None].astype(np.float64), -frac)
    x = x - x.max(axis=2, keepdims=True)  # codes of more than 53 bits were rounded by at most one in 2**53
    powers = np.exp(np.maximum(x, -800))
    error = np.abs(real(Softmax("a", "b").apply(value)) - powers / powers.sum(axis=2, keepdims=True)).max()
    assert error < 2.0**-15 + np.ldexp(1.0, bits - 52 - frac)


def test_softmax_of_many_equal_elements_and_of_far_ones() -> None:
    even = Softmax("a", "b").apply(vectors(np.zeros((1, 4096), np.int64), 0))
    assert set(even.codes.ravel().tolist()) == {8}
    far = Softmax("a", "b").apply(vectors(np.array([[0, 40, 39, 8]]), 0))
    assert far.codes.ravel().tolist() == [0, 23955, 8813, 0] and (far.tensor.low, far.tensor.high) == (0, 32768)


@given(SEEDS, st.integers(2, 16), st.integers(1, 300), st.sampled_from(["everywhere", "variance", "nowhere"]))
def test_standardized_frames_equal_float64_within_the_stated_error(
    seed: int, bits: int, width: int, subtract: Any
) -> None:
    rng, frac = np.random.default_rng(seed), 6
    high = 1 << bits - 1
    codes = rng.integers(-high, high, (6, width)) // rng.integers(1, 9, (6, 1))
    epsilon = 1e-3 if rng.integers(2) else 0.25
    code = round(epsilon * 2 ** (2 * frac + 16))
    result = Standardize("a", "b", code, subtract).apply(vectors(codes, frac, -high, high - 1))
    x = np.ldexp(codes[:, None].astype(np.float64), -frac)
    mean = x.mean(axis=2, keepdims=True)
    centred = x if subtract == "nowhere" else x - mean
    deviation = np.sqrt((centred**2).mean(axis=2, keepdims=True) + epsilon)
    expected = (x - mean if subtract == "everywhere" else x) / deviation
    bound = 2.0**-16 + (1 + np.abs(expected)) * 2.0**-8 / (deviation * 2**frac)
    assert (np.abs(real(result) - expected) <= bound).all()
    assert result.tensor.low <= result.codes.min() and result.codes.max() <= result.tensor.high


def test_a_constant_frame_is_zero_without_epsilon() -> None:
    assert not Standardize("a", "b", 0).apply(vectors(np.full((2, 5), 7), 3)).codes.any()


@given(SEEDS, st.sampled_from(["maximum", "sum", "mean"]), st.integers(1, 5), st.integers(1, 4), st.booleans())
def test_windows_of_every_sample_by_itself(seed: int, kind: Any, size: int, stride: int, same: bool) -> None:
    rng, form = np.random.default_rng(seed), Fixed(8, 3)
    steps = rng.integers(size, 9, 4)
    codes = rng.integers(form.low, form.high + 1, (4, steps.max(), 3))
    codes[np.arange(steps.max()) >= steps[:, None]] = 0
    value = Value(Tensor.of(form, 3, "sequence", None), codes, steps)
    result = Pool("a", "b", kind, size, stride, same).apply(value)
    for sample, count in enumerate(steps):
        windows = -(-count // stride) if same else (count - size) // stride + 1
        before = max((windows - 1) * stride + size - count, 0) // 2 if same else 0
        assert result.steps[sample] == windows
        for window in range(windows):
            first = window * stride - before
            part = real(value)[sample, max(first, 0) : min(first + size, count)]
            expected = {"maximum": part.max(axis=0), "sum": part.sum(axis=0), "mean": part.mean(axis=0)}[kind]
            assert np.abs(real(result)[sample, window] - expected).max() <= 2.0 ** -(form.frac + 17)
    whole = Pool("a", "b", kind, None, 1, same).apply(value)
    assert whole.tensor.kind == "vector"
    for sample, count in enumerate(steps):
        part = real(value)[sample, :count]
        expected = {"maximum": part.max(axis=0), "sum": part.sum(axis=0), "mean": part.mean(axis=0)}[kind]
        assert np.abs(real(whole)[sample, 0] - expected).max() <= 2.0 ** -(form.frac + 17)


@given(SEEDS)
def test_gather_transposes_pads_and_joins_along_steps(seed: int) -> None:
    rng, form = np.random.default_rng(seed), Fixed(8, 3)
    codes = rng.integers(form.low, form.high + 1, (2, 4, 3))
    value = Value(Tensor.of(form, 3, "sequence", 4), codes, np.array([4, 4]))
    numbers = np.arange(12).reshape(4, 3)
    swapped = Gather(("a",), "b", numbers.T, "sequence").apply(value)
    np.testing.assert_array_equal(swapped.codes, codes.transpose(0, 2, 1))
    padded = Gather(("a",), "b", np.pad(numbers, ((1, 2), (0, 0)), constant_values=-1), "sequence").apply(value)
    np.testing.assert_array_equal(padded.codes, np.pad(codes, ((0, 0), (1, 2), (0, 0))))
    stacked = Gather(("a", "b"), "c", np.arange(24).reshape(8, 3), "sequence").apply(value, value)
    np.testing.assert_array_equal(stacked.codes, np.concatenate([codes, codes], axis=1))
    assert Gather(("a",), "b", numbers[:1], "vector").apply(value).tensor.kind == "vector"


def test_gather_picks_features_of_sequences_of_any_length() -> None:
    codes = np.array([[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [0, 0, 0]]])
    value = Value(Tensor(3, 0, 0, 9, "sequence", None), codes, np.array([2, 1]))
    result = Gather(("a",), "b", np.array([[2, -1, 0]]), "frame").apply(value)
    assert result.codes.tolist() == [[[3, 0, 1], [6, 0, 4]], [[9, 0, 7], [0, 0, 0]]]


def test_rows_of_an_embedding() -> None:
    rows = np.array([[1, -2], [3, 4], [5, 6]])
    value = Value(Tensor(1, 0, 0, 7, "sequence", None), np.array([[[2], [1]], [[0], [0]]]), np.array([2, 1]))
    result = Embedding("a", "b", rows, 5).apply(value)
    assert result.codes.tolist() == [[[5, 6], [3, 4]], [[1, -2], [0, 0]]] and result.tensor.frac == 5
    vector = vectors(np.array([[2, 0, 1]]), 0)
    assert Embedding("a", "b", rows, 5).apply(vector).codes.tolist() == [[[5, 6], [1, -2], [3, 4]]]
    with pytest.raises(FormatError, match=r"^sample 0 has the number 3; the table has rows for 0 to 2: check the "):
        Embedding("a", "b", rows, 5).apply(vectors(np.array([[2, 3]]), 0))


ANY = Tensor(2, 4, -8, 7, "sequence", None)
VECTOR = Tensor(2, 0, -8, 7, "vector", 1)
REFUSALS: dict[str, tuple[Any, type[EseError], str]] = {
    "table of another shape": (
        lambda: Softmax("a", "b", power_table()[:, 1:]), FormatError,
        r"a table of exponentials has shape \(2, 2047\); \(2, 2048\) is expected, each row from 1073741824 on",
    ),
    "large exponentials": (
        lambda: Softmax("a", "b", power_table() + (np.arange(2048) == 5)* 2**31), FormatError,
        r"exponentials span 0\.\.\d+; 0\.\.1073741824 are allowed",
    ),
    "epsilon": (lambda: Standardize("a", "b", -1), FormatError, r"a Standardize has epsilon code -1; 0 to \d+ are .*"),
    "size": (lambda: Pool("a", "b", "sum", 0, 1, False), FormatError, r"a Pool has size 0; 1 to 65535 are allowed"),
    "window of vectors": (
        lambda: Pool("a", "b", "sum", 1, 1, False).infer(VECTOR), FormatError, "it reads a sequence; a vector arrives",
    ),
    "short sequences": (
        lambda: Pool("a", "b", "sum", 5, 1, False).infer(Tensor(2, 4, -8, 7, "sequence", 4)), FormatError,
        "its windows have 5 steps; sequences of 4 steps arrive",
    ),
    "index": (
        lambda: Gather(("a",), "b", np.array([[2]]), "frame").infer(ANY), FormatError,
        "it takes element 2; 2 elements arrive",
    ),
    "rows of an index": (
        lambda: Gather(("a",), "b", np.zeros((2, 2), np.int64), "frame"), FormatError,
        r"a Gather has an index of shape \(2, 2\); \(1, width\) is expected",
    ),
    "below": (
        lambda: Gather(("a",), "b", np.array([[-2]]), "frame"), FormatError,
        "a Gather has the index -2; numbers from -1 on are expected",
    ),
    "varying length": (
        lambda: Gather(("a",), "b", np.array([[0]]), "vector").infer(ANY), UnsupportedError,
        "it moves elements between steps of one known length; lengths vary here: give the model's input a fixed length",
    ),
    "fractions": (
        lambda: Embedding("a", "b", np.ones((2, 2), np.int64), 0).infer(ANY), FormatError,
        "it reads integers; codes with 4 fractional bits arrive: quantize them",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals(case: str) -> None:
    make, kind, message = REFUSALS[case]
    with pytest.raises(kind, match=f"^{message}$"):
        make()
