# SPDX-License-Identifier: Apache-2.0
"""Uses of hls4ml besides conversion: printing, plotting and profiling."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from ese_hls.profiling import get_ymodel_keras
from support.keras_models.plugin_models import classifier, convert, dense, fill, inputs, lstm


def test_a_printed_model_names_its_layers_and_its_conversion() -> None:
    graph = convert(classifier())
    layers = ["x (Input): [6, 7]", "lstm (SparseLSTM): [10]", "dense (SparseDense): [5]", "softmax (Activation): [5]"]
    choices = [f"- {choice}" for choice in graph.ese_conversion.mapping.choices]
    assert str(graph) == "\n".join([*layers, str(graph.ese_conversion.summary), *choices])
    assert [choice.split(":")[0] for choice in choices] == [
        "- lstm/recurrent stored sparse", "- lstm/kernel stored sparse", "- dense/kernel stored sparse"
    ]  # fmt: skip


def test_plot_model_has_every_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pydot")
    from hls4ml.utils import plot

    monkeypatch.setattr(plot, "check_pydot", lambda: True)  # it needs Graphviz, which only draws the picture
    dot = plot.model_to_dot(convert(classifier()), show_shapes=True, show_precision=True)
    labels = [node.get_label() for node in dot.get_nodes() if node.get_label()]
    assert [name in label for name, label in zip(("x", "lstm", "dense", "softmax"), labels, strict=True)] == [True] * 4
    assert len(dot.get_edges()) == 3


@pytest.fixture
def profiling(monkeypatch: pytest.MonkeyPatch) -> object:
    for name in ("matplotlib", "pandas", "seaborn"):
        pytest.importorskip(name)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    from hls4ml.model import profiling

    return profiling


def functional(*layers: keras.Layer) -> keras.Model:
    first = values = keras.Input((7,), name="x")
    for layer in layers:
        values = layer(values)
    return fill(keras.Model(first, values))


def test_get_ymodel_keras_is_hls4ml_s_where_that_runs(profiling: object) -> None:
    model = functional(
        dense(6, activation=keras.activations.relu),
        keras.layers.Dropout(0.1, name="drop"),
        keras.layers.Dense(4, activation="tanh", name="plain"),
        keras.layers.Dense(3, name="last"),
    )
    x = np.random.default_rng(0).normal(size=(9, 7)).astype(np.float32)
    stock, ours = profiling.get_ymodel_keras(model, x), get_ymodel_keras(model, x)  # type: ignore[attr-defined]
    assert set(ours) == {"dense", "dense_relu", "plain", "plain_tanh", "last"}
    assert set(stock) == set(ours)
    for name, values in ours.items():
        np.testing.assert_array_equal(values, stock[name], err_msg=name)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: classifier(), "'quantized_tanh' object has no attribute '__name__'"),
        (lambda: keras.Sequential([keras.Input((6, 7)), keras.layers.LSTM(4)]), "property 'activation' of 'LSTM' "),
        (lambda: keras.Sequential([keras.Input((7,)), keras.layers.Dense(4)]), "has never been called"),
    ],
)
def test_where_hls4ml_s_own_stops(profiling: object, model: object, message: str) -> None:
    """hls4ml.md says that hls4ml refuses these models. If this fails, hls4ml accepts them: change the page."""
    made = model()  # type: ignore[operator]
    x = np.zeros((2, *made.input_shape[1:]), dtype=np.float32)
    with pytest.raises(AttributeError, match=message):
        profiling.get_ymodel_keras(made, x)  # type: ignore[attr-defined]
    assert get_ymodel_keras(made, x)


def test_numerical_profiles_the_keras_model_and_not_the_graph(profiling: object) -> None:
    import matplotlib.pyplot as plt

    model = classifier()
    x = inputs(model)
    figures = profiling.numerical(model=functional(dense(4), dense(3, name="last")), X=x[:, 0])  # type: ignore[attr-defined]
    assert [figure is not None for figure in figures] == [True, False, True, False]
    with pytest.raises(ValueError, match="zero-size array"):
        profiling.numerical(hls_model=convert(model), X=x)  # type: ignore[attr-defined]
    plt.close("all")


def test_an_lstm_s_activation_is_its_own() -> None:
    model = keras.Sequential([keras.Input((6, 7)), lstm()])
    assert set(get_ymodel_keras(fill(model), inputs(model))) == {"lstm"}
