# SPDX-License-Identifier: Apache-2.0
"""Multiply, Maximum and Minimum leave masked values out, as in Keras 3, or are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hls4ml
import numpy as np
import pytest
from keras import layers, ops
from qkeras import QActivation

from ese_host.errors import UnsupportedError
from support.keras_models.plugin_models import bits, dense, frames, functional, golden_values, gru, recurrent

SEQUENCES = {"return_sequences": True}


def merged(kind: Any, behind: Callable[[Any], Any], same: bool = True) -> Any:
    """A merge of two masked sequences; the second one has lost its mask unless `same`."""

    def build(q: Any) -> Any:
        value = layers.Masking(0.0, name="mask")(q)
        first, second = recurrent("a", 4, **SEQUENCES)(value), gru(4, "b", **SEQUENCES)(value)
        return behind(kind(name="merge")([first, second if same else QActivation(bits(8, 1))(second)]))

    return functional(build)


def checked(model: Any) -> None:
    """Compare with Keras on samples with masked frames, which the self-check reads, too."""
    x = frames(model, masked=True)
    config = {"Model": {"PEs": 2}}
    graph = hls4ml.converters.convert_from_keras_model(
        model, backend="ESE", output_dir="unused", hls_config=config, calibration=x[0]
    )
    assert np.array_equal(golden_values(graph.ese_conversion, x)[0], np.asarray(model(x[0])))


def flat(value: Any) -> Any:
    return dense()(layers.Flatten()(QActivation(bits(8, 1))(value)))


SLOW = pytest.mark.slow


@pytest.mark.parametrize("behind", [pytest.param(recurrent("end", 4), marks=SLOW, id="masked"), flat])
def test_masked_frames_of_a_product_are_zero(behind: Any) -> None:
    checked(merged(layers.Multiply, behind))


@pytest.mark.parametrize("kind", [layers.Maximum, pytest.param(layers.Minimum, marks=SLOW)])
def test_masked_frames_of_a_maximum_are_passed_over(kind: Any) -> None:
    checked(merged(kind, recurrent("end", 4)))
    message = r"^layer 'merge' \(M.*imum\) combines masked sequences, and its masked frames are read, or leave the mo"
    with pytest.raises(UnsupportedError, match=message):
        checked(merged(kind, flat))


@pytest.mark.parametrize("kind", [layers.Maximum, pytest.param(layers.Multiply, marks=SLOW)])
def test_masked_input_frames_are_zero_in_a_merge(kind: Any) -> None:
    def build(q: Any) -> Any:
        value = layers.Masking(0.0, name="mask")(q)
        return flat(kind(name="merge")([value, gru(7, "b", **SEQUENCES)(value)]))

    checked(functional(build))


@pytest.mark.parametrize("kind", [layers.Maximum, layers.Minimum, layers.Multiply])
def test_a_masked_sequence_beside_one_without_mask_is_refused(kind: Any) -> None:
    message = (
        r"^layer 'merge' \(.*\) combines masked sequences with others, which Keras takes alone where frames are masked"
        r"; all or none may be masked here: use keras.ops.\w+, which reads no masks, or put Masking behind this layer$"
    )
    with pytest.raises(UnsupportedError, match=message):
        checked(merged(kind, recurrent("end", 4), same=False))


@SLOW
def test_sums_and_operations_read_no_masks() -> None:
    checked(merged(layers.Add, flat, same=False))
    checked(merged(lambda name: lambda pair: ops.multiply(*pair), flat, same=False))  # noqa: ARG005


def test_sequences_of_different_masks_are_refused() -> None:
    def build(q: Any) -> Any:
        first = recurrent("a", 4, **SEQUENCES)(layers.Masking(0.0)(q))
        return layers.Multiply(name="merge")([first, recurrent("b", 4, **SEQUENCES)(layers.Masking(1.0)(q))])

    with pytest.raises(UnsupportedError, match=r"^layer 'merge' .*combines sequences of different masks; only one is"):
        checked(functional(build))
