# SPDX-License-Identifier: Apache-2.0
"""Models and configurations that hls4ml's own tests use: without a matrix, or with a softmax that is skipped."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers as kl
from qkeras import QActivation, quantized_relu

from support.keras_models.plugin_models import bits, chain, convert, dense, fill, frames, golden_values, recurrent


def test_a_model_without_matrices_passes_its_input_through_the_engine(tmp_path: Path) -> None:
    model = keras.Sequential(
        [keras.Input((4, 7), name="x"), QActivation(bits(8, 2), name="source"), QActivation(quantized_relu(6, 1))]
    )
    hls_model = convert(model, tmp_path / "project")
    conversion = hls_model.ese_conversion
    (only,) = conversion.program.chains
    assert [layer.name for layer in only.network.layers] == ["x_identity"]
    assert (
        "the model has no LSTM, GRU or Dense layer: the engine passes 'x' on, the host computes the rest"
        in conversion.summary.notes
    )
    x = frames(model)
    hls_model.compile()
    expected = np.asarray(model(x[0]))
    np.testing.assert_array_equal(golden_values(conversion, x)[0], expected)
    np.testing.assert_array_equal(hls_model.predict(x[0]), expected)


def test_a_softmax_is_skipped_where_the_configuration_says_so() -> None:
    model = chain(dense(3), kl.Activation("softmax", name="softmax"), shape=(7,))
    assert convert(model).ese_conversion.program.outputs[0].head == "softmax"
    skipped = convert(model, layers={"softmax": {"skip": True}}).ese_conversion
    assert skipped.program.outputs[0].head == "none"
    x = frames(model)
    logits = keras.Sequential(model.layers[:-1])
    np.testing.assert_array_equal(golden_values(skipped, x)[0], np.asarray(logits(x[0])))


def test_every_layer_but_what_rounds_or_vanishes_is_a_node() -> None:
    """Users count and list the layers of a converted model, which shall be as in hls4ml's own backends."""
    model = chain(dense(4, name="first"), kl.Activation("relu", name="cut"), QActivation(bits(8, 2), name="q"), dense())
    graph = convert(model)
    assert [node.name for node in graph.get_layers()] == ["x", "first", "cut", "dense"]
    assert [layer.name for layer in graph.ese_conversion.program.lone.layers] == ["first", "dense"]
    assert ("cut", "Activation", "folded into 'first'") in graph.ese_conversion.summary.layers


NAMES = ("output", "function", "source", "tensors", "relu", "extents", "value")


@pytest.mark.parametrize("turn", [0, 2, 5])
def test_layers_may_be_called_what_their_nodes_attributes_are(turn: int) -> None:
    """Most tutorials end their network in a layer called `output`."""
    names = NAMES[turn:] + NAMES[:turn]
    layers = [keras.Input((6, 7), name=names[0]), QActivation(bits(8, 2)), recurrent("l", return_sequences=True)]
    layers += [dense(4), kl.Activation("relu"), QActivation(bits(8, 2)), dense(3)]
    for layer, name in zip(layers[1:], names[1:], strict=True):
        layer.name = name
    model = fill(keras.Sequential(layers))
    graph, x = convert(model), frames(model)
    np.testing.assert_array_equal(golden_values(graph.ese_conversion, x)[0], np.asarray(model(x[0])))
    assert sorted(row[0] for row in graph.ese_conversion.summary.layers) == sorted(names)
