# SPDX-License-Identifier: Apache-2.0
"""Models within models, and layers that contain layers: the golden model computes what Keras computes."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from qkeras import QActivation

from support.keras_models.plugin_models import as_list, bits, convert, dense, fill, frames, golden_values, recurrent


def inner(*made: Any, shape: tuple[int | None, ...] = (6, 7)) -> Any:
    return keras.Sequential([keras.Input(shape, name="y"), *made], name="inner")


def masked_inside() -> Any:
    return inner(layers.Masking(name="mask"), recurrent("l", return_sequences=True)), recurrent("last")


def masked_outside() -> Any:
    first = inner(recurrent("l", return_sequences=True), shape=(None, 7))
    return layers.Masking(name="mask"), first, recurrent("last")


@pytest.mark.parametrize("build", [masked_inside, masked_outside])
def test_masks_pass_between_models_as_in_keras(build: Any) -> None:
    source = QActivation(bits(8, 2), name="source")
    model = fill(keras.Sequential([keras.Input((6, 7), name="x"), source, *build(), dense()]))
    x = frames(model, masked=True)
    assert np.array_equal(golden_values(convert(model).ese_conversion, x)[0], as_list(model.predict(x, verbose=0))[0])
