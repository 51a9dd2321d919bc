# SPDX-License-Identifier: Apache-2.0
"""Quantizing weights once per training step changes neither the outputs of a network nor its gradients."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ese_models.masking.regrouping import begin
from ese_models.networks.builder import QUANTIZERS, Topology, Weights, network
from ese_models.networks.inspection import kernels, weight_quantizers
from ese_models.training.quantize_once import quantized_once


def quantizers_of(model: Any) -> list[Any]:
    return [quantizer for name, quantizer in weight_quantizers(model).items() if "dense" not in name]


@pytest.mark.parametrize(
    ("weights", "topology"),
    [
        *((w, Topology((6,))) for w in QUANTIZERS),
        ("ttq", Topology((6, 5), bidirectional=True)),
        ("codebook4", Topology(gru=(6,))),
    ],
)
def test_outputs_are_equal_and_gradients_are_the_same_sums(weights: Weights, topology: Topology) -> None:
    keras.utils.set_random_seed(3)
    model = network(topology, features=4, outputs=3, steps=7, weights=weights)
    masks = {name: np.ones(variable.shape[::-1], dtype=bool) for name, variable in kernels(model).items()}
    begin(kernels(model), weight_quantizers(model), masks)
    inputs = np.random.default_rng(1).normal(size=(8, 7, 4)).astype(np.float32)

    def run() -> tuple[Any, list[Any]]:
        with tf.GradientTape() as tape:
            outputs = model(inputs, training=True)
            loss = tf.reduce_sum(outputs[:, 0])
        return outputs, tape.gradient(loss, model.trainable_variables)

    outputs, gradients = run()
    before = quantizers_of(model)
    with tf.GradientTape() as tape, quantized_once(model):
        held = model(inputs, training=True)
        loss = tf.reduce_sum(held[:, 0])
    assert quantizers_of(model) == before
    np.testing.assert_array_equal(held, outputs)
    for found, expected in zip(tape.gradient(loss, model.trainable_variables), gradients, strict=True):
        # the float32 sums are added in another order
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max())


def test_the_quantizers_are_called_once_and_come_back_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    model = network(Topology((6,)), features=4, outputs=3, steps=7, weights="int4")
    calls: list[Any] = []
    for quantizer in quantizers_of(model):
        kind, call = type(quantizer), type(quantizer).__call__

        def counted(self: Any, x: Any, call: Callable[[Any, Any], Any] = call) -> Any:
            calls.append(self)
            return call(self, x)

        monkeypatch.setattr(kind, "__call__", counted)
        break  # both quantizers have this class
    before = quantizers_of(model)
    with pytest.raises(RuntimeError, match=r"^stop$"), quantized_once(model):
        model(np.zeros((2, 7, 4), np.float32))
        held = [call for call in calls if call in before]
        assert len(held) == len(before)
        raise RuntimeError("stop")
    assert quantizers_of(model) == before


def test_float_networks_have_nothing_to_hold() -> None:
    model = network(Topology((6,)), features=4, outputs=3, steps=7)
    with quantized_once(model):
        assert quantizers_of(model) == [None, None]
