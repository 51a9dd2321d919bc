# SPDX-License-Identifier: Apache-2.0
"""Codes and values of the masked quantizers agree exactly, and no kept weight is lost."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from drawn import SETTINGS, weights
from hypothesis import given, settings
from hypothesis import strategies as st

from ese_host.errors import FormatError, UnsupportedError
from ese_models.quantizers import MaskedInt4, MaskedTernary

Array = npt.NDArray[np.float32]

CONFIGS = st.fixed_dictionaries(SETTINGS)
MASKED = weights().map(lambda drawn: drawn[0] * drawn[1])


@given(MASKED, st.sampled_from([MaskedTernary, MaskedInt4]), CONFIGS)
@settings(max_examples=150, deadline=None)
def test_values_are_codes_times_scale_exactly(
    array: Array, kind: type[MaskedTernary] | type[MaskedInt4], config: dict[str, Any]
) -> None:
    quantizer = kind(**config)
    codes, scale, frac = quantizer.codes_and_scale(array)
    assert codes.shape == array.shape and scale.shape == (array.shape[1],)
    assert codes.dtype == scale.dtype == np.int64 and 0 <= frac <= config["max_frac"]
    assert scale.min() >= 0 and scale.max() < 1 << 16
    values = np.ldexp((codes * scale).astype(np.float64), -frac).astype(np.float32)
    assert (keras.ops.convert_to_numpy(quantizer(array)) == values).all()


@given(MASKED, st.sampled_from([MaskedTernary, MaskedInt4]), CONFIGS)
@settings(max_examples=150, deadline=None)
def test_zero_exactly_where_the_weight_is(
    array: Array, kind: type[MaskedTernary] | type[MaskedInt4], config: dict[str, Any]
) -> None:
    codes, scale, _ = kind(**config).codes_and_scale(array)
    assert ((codes != 0) == (array != 0)).all()
    assert (np.sign(codes) == np.sign(array)).all()
    assert np.abs(codes).max(initial=0) <= (1 if kind is MaskedTernary else 7)
    assert ((codes * scale != 0) == (array != 0)).all()
    if config["power_of_two"]:
        assert all(value & (value - 1) == 0 for value in scale.tolist())


def test_scales_are_those_of_the_papers() -> None:
    array = np.array([[0.5, 0.0], [-0.3, 0.9], [0.0, -0.1]], dtype=np.float32)
    codes, scale, frac = MaskedTernary().codes_and_scale(array)
    assert codes.tolist() == [[1, 0], [-1, 1], [0, -1]] and np.allclose(scale / 2**frac, [0.4, 0.5], atol=2**-16)
    codes, scale, frac = MaskedTernary(per_channel=False).codes_and_scale(array)
    assert np.allclose(scale / 2**frac, 0.45, atol=2**-16)
    codes, scale, frac = MaskedInt4().codes_and_scale(array)
    assert codes.tolist() == [[7, 0], [-4, 7], [0, -1]] and abs(scale[1] / 2**frac - 0.9 / 7) < 2**-16


def test_gradients_pass_straight_through() -> None:
    import tensorflow as tf

    variable = tf.Variable([[0.3, -0.2], [0.0, 0.9]])
    for quantizer in (MaskedTernary(), MaskedInt4()):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(quantizer(variable) * tf.constant([[1.0, 2.0], [3.0, 4.0]]))
        assert tape.gradient(total, variable).numpy().tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("kind", [MaskedTernary, MaskedInt4])
def test_keras_serialization_round_trip(kind: type[MaskedTernary] | type[MaskedInt4]) -> None:
    quantizer = kind(per_channel=False, power_of_two=True, max_frac=9)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(quantizer))
    assert type(again) is kind and again.get_config() == quantizer.get_config()
    assert str(again) == f"{kind.__name__}(per_channel=False, power_of_two=True, max_frac=9)"


def test_unsound_weights_are_refused() -> None:
    with pytest.raises(FormatError, match=r"weight at \(1, 0\) is nan"):
        MaskedTernary().codes_and_scale([[1.0, 2.0], [np.nan, 1.0]])
    with pytest.raises(FormatError, match=r"expected \(inputs, outputs\)"):
        MaskedInt4().codes_and_scale([1.0])
    with pytest.raises(UnsupportedError, match="max_frac is 31; 0 to 30"):
        MaskedInt4(max_frac=31)
