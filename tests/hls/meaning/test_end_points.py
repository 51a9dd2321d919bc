# SPDX-License-Identifier: Apache-2.0
"""The ends of sigmoid and tanh are values: a hard activation without quantizer is exact wherever float32 is."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from qkeras import QActivation, quantized_sigmoid, quantized_tanh

from ese_host.ir import Fixed
from support.keras_models.plugin_models import bits, chain, convert, golden_values, lstm

STEPS = 30


def loud(**changes: Any) -> Any:
    """A QLSTM of 8 bits whose weights saturate its activations at most steps."""
    quantizers = {f"{name}_quantizer": bits(8, 2) for name in ("kernel", "recurrent", "bias")}
    layer = lstm(8, **quantizers, return_sequences=True, **changes)
    model = chain(layer, shape=(STEPS, 5))
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=weight.shape) for weight in model.get_weights()])
    return model


@pytest.mark.parametrize("gate", ["hard_sigmoid", "smooth_sigmoid", quantized_sigmoid(8)], ids=str)
@pytest.mark.parametrize("cell", ["hard_tanh", "smooth_tanh", quantized_tanh(8)], ids=str)
def test_a_saturated_lstm_is_keras_s(gate: Any, cell: Any) -> None:
    model = loud(recurrent_activation=gate, activation=cell)
    conversion = convert(model).ese_conversion
    x = np.random.default_rng(1).normal(0, 2, (40, STEPS, 5)).astype(np.float32)
    found, expected = golden_values(conversion, [x])[0], np.asarray(model(x, training=False))
    if isinstance(cell, str):  # the product of an activation and a tanh(c) without quantizer is rounded in float32
        np.testing.assert_allclose(found, expected, rtol=0, atol=2.0**-23)
    else:
        np.testing.assert_array_equal(found, expected)
    for what, function in (("recurrent_activation", gate), ("activation", cell)):
        said = any(f": {what} has no quantizer; its value" in note for note in conversion.summary.notes)
        assert said == isinstance(function, str)


@pytest.mark.parametrize("name", ["hard_sigmoid", "hard_tanh", "smooth_sigmoid", "smooth_tanh", "sigmoid", "tanh"])
@pytest.mark.parametrize("precision", [None, "fixed<16,6>", "fixed<12,2>"])
def test_an_activation_on_the_host_reaches_its_ends_and_no_more(name: str, precision: str | None) -> None:
    activation = QActivation(name, name="a") if "_" in name else keras.layers.Activation(name, name="a")
    model = chain(activation, QActivation(bits(8, 1), name="q"), shape=(4,))
    layers = None if precision is None else {"a": {"Precision": {"result": precision}}}
    x = np.array([[-3.75, -1, 1, 3.75], [-4, -0.25, 0.25, 3.9375]], np.float32)
    conversion = convert(model, layers=layers).ese_conversion
    np.testing.assert_array_equal(golden_values(conversion, [x])[0], np.asarray(model(x, training=False)))


def test_activations_without_quantizer_have_room_for_their_ends() -> None:
    network = convert(loud(recurrent_activation="sigmoid", activation="tanh")).ese_conversion.network
    (layer,) = network.layers
    assert (layer.gate.out, layer.cell.out) == (Fixed(17, 1, signed=False), Fixed(18, 2))
    assert (layer.gate.high, layer.cell.low, layer.cell.high) == (1 << 16, -(1 << 16), 1 << 16)


@pytest.mark.parametrize("integer", [0, 7, 8, 9])
def test_a_wide_state_takes_bits_from_the_cells_activation(integer: int) -> None:
    model = chain(lstm(4, state_quantizer=bits(16, integer), activation="hard_tanh"), shape=(6, 5))
    conversion = convert(model).ese_conversion
    (layer,) = conversion.network.layers
    assert layer.cell.out == Fixed(2 + min(23, 38 - integer), 2)
    x = np.random.default_rng(2).normal(0, 2, (20, 6, 5)).astype(np.float32)
    difference = np.abs(golden_values(conversion, [x])[0] - np.asarray(model(x, training=False))).max()
    assert difference <= 2.0 ** -min(layer.state.frac, 16)
