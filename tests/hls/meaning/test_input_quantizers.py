# SPDX-License-Identifier: Apache-2.0
"""Quantizers behind an input, in any order and number: each of them rounds what Keras's rounds."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl
from qkeras import QActivation, quantized_bits, quantized_linear, quantized_relu

from support.keras_models.plugin_models import as_list, bits, convert, dense, fill, golden_values, recurrent


def quantizer(rng: random.Random) -> Any:
    """A random quantizer of a fixed-point format."""
    width, integer = rng.choice([2, 3, 4, 5, 8, 12]), rng.choice([0, 1, 2, 3])
    choices: list[Callable[[], Any]] = [
        lambda: quantized_bits(width, integer - 1, rng.choice([0, 1]), alpha=1),
        lambda: quantized_bits(width, integer, keep_negative=False, alpha=1),
        lambda: quantized_linear(width, integer, rng.choice([0, 1]), alpha=rng.choice([None, 0.5])),
        lambda: quantized_relu(width, integer),
    ]
    return rng.choice(choices)()


def behind(tensor: Any, rng: random.Random) -> Any:
    """A tensor behind one to three quantizers."""
    for _ in range(rng.choice([1, 2, 2, 3])):
        tensor = QActivation(quantizer(rng))(tensor)
    return tensor


def build(kind: str, rng: random.Random) -> Any:
    x = keras.Input((5, 4) if kind == "lstm" else (4,), name="x")
    if kind == "two readers":
        outputs: Any = kl.Concatenate()([dense(3, name="a")(behind(x, rng)), dense(2, name="b")(behind(x, rng))])
    elif kind == "shared":
        shared = behind(x, rng)
        outputs = [dense(3, name="a")(behind(shared, rng)), dense(2, name="b")(shared), kl.Add()([shared, shared])]
    elif kind == "lstm":
        outputs = recurrent("lstm", 4)(behind(x, rng))
    else:
        y = keras.Input((4,), name="y")
        outputs = keras.Model(y, dense(3)(behind(y, rng)), name="inner")(behind(x, rng))
    return fill(keras.Model(x, outputs), density=0.9)


@pytest.mark.parametrize("kind", ["two readers", "shared", "lstm", "nested"])
@pytest.mark.parametrize("seed", range(3))
def test_each_quantizer_rounds(kind: str, seed: int) -> None:
    model = build(kind, random.Random(seed))  # noqa: S311 - a test, no secret
    x = np.random.default_rng(seed).normal(0, 2, (64, *model.inputs[0].shape[1:])).astype(np.float32)
    found = golden_values(convert(model).ese_conversion, [x])
    for array, expected in zip(found, as_list(model(x, training=False)), strict=True):
        np.testing.assert_array_equal(array, expected)


def test_ties_of_an_input_with_two_readers() -> None:
    """Rounding to one format first would turn values just beside a tie into ties."""
    x = keras.Input((4,), name="x")
    coarse, fine = QActivation(bits(3, 0), name="coarse")(x), QActivation(bits(16, 2), name="fine")(x)
    model = keras.Model(x, [coarse, fine])
    ties = (np.arange(-8, 8) / 8).astype(np.float32)
    x = np.stack([ties, np.nextafter(ties, 1), np.nextafter(ties, -1), ties + np.float32(2**-14)], axis=1)
    found = golden_values(convert(model).ese_conversion, [x])
    for array, expected in zip(found, as_list(model(x, training=False)), strict=True):
        np.testing.assert_array_equal(array, expected)
