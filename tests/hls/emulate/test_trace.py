# SPDX-License-Identifier: Apache-2.0
"""`.trace()` compared with Keras, layer by layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qkeras import QActivation, quantized_relu

from ese_hls.emulate.tracing import KerasLayer, _absorbed_values
from ese_hls.profiling import get_ymodel_keras
from ese_host.errors import DeviceError
from ese_host.ir.fixed import Fixed
from support.keras_models.plugin_models import bits, chain, classifier, convert, dense, gru, inputs, lstm, recurrent


def stacked() -> Any:
    return chain(
        lstm(return_sequences=True),
        QActivation(bits(8, 0), name="between"),
        keras.layers.SpatialDropout1D(0.1, name="drop"),
        dense(6, name="hidden", activation=quantized_relu(6, 3)),
        dense(4, name="second"),
        QActivation(quantized_relu(7, 3), name="cut"),
        dense(3, name="last"),
    )


def of_gru(reset_after: bool) -> Any:
    """A GRU of each form with an LSTM between."""
    return chain(
        gru(6, "first", reset_after=reset_after, return_sequences=True),
        recurrent("middle", 5, return_sequences=True),
        QActivation(bits(8, 0), name="between"),
        gru(4, "last", reset_after=not reset_after),
        dense(3, name="out"),
    )


def perceptron() -> Any:
    relu = keras.layers.Activation("relu", name="relu")
    return chain(dense(6), relu, QActivation(bits(8, 4), name="form"), dense(3, name="last"), shape=(7,))


def compared(model: Any, tmp_path: Path, x: Any) -> dict[str, Any]:
    """The trace, after a check that every layer equals Keras's; only the softmax rounds differently."""
    graph = convert(model, tmp_path / "out", PEs=2)
    output, found = graph.trace(x)
    expected = get_ymodel_keras(model, x)
    for name, values in found.items():
        assert values.dtype == np.float32
        if name == "softmax":
            np.testing.assert_allclose(values, expected[name], rtol=0, atol=1e-6)
        else:
            np.testing.assert_array_equal(values, expected[name], err_msg=name)
    assert np.array_equal(output, graph.predict(x))
    assert set(found) == set(expected)
    trace: dict[str, Any] = found
    return trace


def test_every_layer_of_a_hard_8_bit_classifier(tmp_path: Path) -> None:
    model = classifier()
    found = compared(model, tmp_path, inputs(model, samples=70))
    assert {name: values.shape for name, values in found.items()} == {
        "source": (70, 6, 7), "lstm": (70, 10), "dense": (70, 5), "softmax": (70, 5),
    }  # fmt: skip
    assert len(np.unique(found["lstm"])) > 50


def test_every_layer_of_a_stack_with_absorbed_layers(tmp_path: Path) -> None:
    model = stacked()
    found = compared(model, tmp_path, inputs(model))
    assert list(found) == [
        "source", "lstm", "between", "drop", "hidden", "hidden_quantized_relu", "second", "cut", "last",
    ]  # fmt: skip
    assert found["hidden"].min() < 0 <= found["hidden_quantized_relu"].min()


@pytest.mark.parametrize("reset_after", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_every_layer_of_gru_and_lstm(reset_after: bool, tmp_path: Path) -> None:
    model = of_gru(reset_after)
    found = compared(model, tmp_path, inputs(model, samples=40))
    assert list(found) == ["source", "first", "middle", "between", "last", "out"]
    assert len(np.unique(found["last"])) > 30


def test_every_layer_of_a_perceptron_without_steps(tmp_path: Path) -> None:
    model = perceptron()
    found = compared(model, tmp_path, inputs(stacked())[:, 0])
    assert found["dense"].shape == (20, 6)
    assert found["dense"].min() < 0 == found["relu"].min()


def test_trace_of_some_layers(tmp_path: Path) -> None:
    model = classifier()
    graph = convert(model, tmp_path / "out", layers={"lstm": {"Trace": True}, "softmax": {"Trace": True}})
    graph.compile()
    assert list(graph.trace(inputs(model))[1]) == ["lstm", "softmax"]


def test_a_damaged_sum_is_not_taken_for_a_relu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = convert(perceptron(), tmp_path / "out", PEs=2)
    monkeypatch.setattr("ese_hls.emulate.tracing._exact", lambda _, found: (found.exact + 1, found.stage.frac))
    with pytest.raises(
        DeviceError,
        match=r"^layer 'dense': the engine's sums are not the ReLU of the golden model's; compile the project again$",
    ):
        graph.trace(inputs(stacked())[:, 0])


def layer(name: str, kind: Any, function: Any = None) -> KerasLayer:
    return KerasLayer(name, kind, (), function, "")


def test_what_was_folded_into_a_sum_has_the_sum() -> None:
    layers = [layer("dense", "other"), layer("norm", "other"), layer("same", "linear"), layer("relu", "relu")]
    values = _absorbed_values(layers, np.array([[[-3, 4]]]), 1)
    assert {name: value.tolist() for name, value in values.items()} == {
        "norm": [[[-1.5, 2.0]]], "same": [[[-1.5, 2.0]]], "relu": [[[0.0, 2.0]]],
    }  # fmt: skip


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(-(1 << 30), 1 << 30), min_size=1), st.integers(2, 16), st.integers(0, 6))
def test_a_quantizer_rounds_as_its_format(codes: list[int], width: int, integer: int) -> None:
    sums = np.array(codes).reshape(1, 1, -1)
    values = _absorbed_values([layer("dense", "other"), layer("form", "format", bits(width, integer))], sums, 20)
    form = Fixed(width, integer + 1)
    np.testing.assert_array_equal(values["form"], form.to_float(form.quantize(sums, 20)))
    np.testing.assert_array_equal(values["dense"], sums / 2**20)
