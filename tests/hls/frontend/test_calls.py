# SPDX-License-Identifier: Apache-2.0
"""The calls of a model, and what each computes: run one after another, they give what Keras gives."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from ese_hls.frontend import calls_of
from ese_host.errors import UnsupportedError
from support.keras_models.plugin_models import as_list, fill, frames


def sequential() -> Any:
    return keras.Sequential([keras.Input((6, 7), name="x"), layers.LSTM(4, name="lstm"), layers.Dense(3, name="out")])


def operations() -> Any:
    x, y = keras.Input((6, 7), name="x"), keras.Input((6, 7), name="y")
    value = ops.maximum(x[:, ::2] * 0.5, -y[:, 1::2]) - 1.0
    return keras.Model([x, y], layers.Concatenate(name="both")([value, ops.tanh(value)]))


def masked(**call: Any) -> Any:
    x = keras.Input((6, 7), name="x")
    value = layers.LSTM(5, return_sequences=True, name="first")(layers.Masking(name="mask")(x), **call)
    return keras.Model(x, layers.Bidirectional(layers.LSTM(3), name="both")(value))


def inner(*first: Any, shape: tuple[int | None, ...] = (6, 7)) -> Any:
    lstm = layers.LSTM(5, return_sequences=True, name="lstm")
    name = f"inner{shape[-1]}"
    return keras.Sequential([keras.Input(shape, name="x"), *first, lstm], name=name)


def masked_within() -> Any:
    """A mask that is made in an inner model, and passes through a second one."""
    x = keras.Input((6, 7), name="x")
    value = layers.LSTM(3, name="last")(inner(shape=(6, 5))(inner(layers.Masking(name="mask"))(x)))
    return keras.Model(x, value)


def mask_from_outside() -> Any:
    """A mask that goes into an inner model of varying length, two models deep, and out again."""
    x = keras.Input((6, 7), name="x")
    y = keras.Input((None, 7), name="y")
    middle = keras.Model(y, inner(shape=(None, 7))(y), name="middle")
    return keras.Model(x, layers.LSTM(3, name="last")(middle(layers.Masking(name="mask")(x))))


def shared() -> Any:
    x, y = keras.Input((7,), name="x"), keras.Input((7,), name="y")
    dense = layers.Dense(4, name="dense")
    return keras.Model([x, y], [dense(y), dense(x)])


MODELS = {
    "sequential": sequential,
    "operations": operations,
    "masked": masked,
    "mask of a converted call": lambda: masked(training=False),
    "mask made within": masked_within,
    "mask from outside": mask_from_outside,
    "shared": shared,
}


@pytest.mark.parametrize("name", MODELS)
def test_calls_in_order_compute_what_the_model_computes(name: str) -> None:
    model = fill(MODELS[name](), density=1.0)
    x = frames(model, masked="mask" in name)
    expected = as_list(model.predict(x, verbose=0))
    calls = calls_of(model)
    given = {call.outputs[0].name: value for call, value in zip((c for c in calls if not c.inputs), x, strict=True)}
    values = dict(given)
    for call in calls:
        values |= call.compute(values)
        for tensor in call.outputs:
            assert values[tensor.name].shape[1:] == tensor.shape
    last = [values[tensor.name] for tensor in calls[-1].outputs]
    assert np.array_equal(last[-1], expected[-1]) or np.array_equal(last[-1], expected[0])
    assert [call.name for call in calls_of(model)] == [call.name for call in calls]
    assert [call.outputs for call in calls_of(model)] == [call.outputs for call in calls]


def test_reading_leaves_the_model_as_it_was() -> None:
    model = mask_from_outside()
    seen = [model, *model.layers, *model.get_layer("middle").layers]
    before = [(len(layer._inbound_nodes), len(layer._outbound_nodes)) for layer in seen]
    calls_of(model)
    assert before == [(len(layer._inbound_nodes), len(layer._outbound_nodes)) for layer in seen]


def test_layers_of_inner_models_are_named_by_both() -> None:
    names = [call.name for call in calls_of(mask_from_outside())]
    assert [name for name in names if "lstm" in name] == ["middle_inner7_lstm"]


def test_a_saved_model_has_the_same_calls(tmp_path: Any) -> None:
    for model in (operations(), mask_from_outside()):
        model.save(tmp_path / "model.keras")
        read = calls_of(keras.models.load_model(tmp_path / "model.keras"))
        assert [call.kind for call in read] == [call.kind for call in calls_of(model)]


class Subclassed(keras.Model):  # type: ignore[misc]
    """A model with a call() of its own."""

    def call(self, x: Any) -> Any:
        return x


class Doubled(keras.Sequential):  # type: ignore[misc]
    """A sequential model with a call() of its own."""

    def call(self, x: Any) -> Any:
        return super().call(x) * 2


def test_models_without_a_graph_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="model 'own' is a subclassed model, which defines call"):
        calls_of(Subclassed(name="own"))
    with pytest.raises(UnsupportedError, match="model 'own' is a subclassed model"):
        calls_of(Doubled([keras.Input((3,)), layers.Dense(2)], name="own"))
    with pytest.raises(UnsupportedError, match=r"model 'open' has not been built; .*: begin the model with keras.Inp"):
        calls_of(keras.Sequential([layers.Dense(2)], name="open"))
    x = keras.Input((3,), name="x")
    with pytest.raises(UnsupportedError, match=r"layer 'own' \(Subclassed\) is a subclassed model"):
        calls_of(keras.Model(x, Subclassed(name="own")(x)))
