# SPDX-License-Identifier: Apache-2.0
"""Converted GRU layers have the matrices, biases, formats and outputs of Keras, in both forms."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from qkeras import quantized_bits, quantized_relu, quantized_sigmoid, quantized_tanh

from ese_hls.quantize import gru_bias
from ese_hls.warnings import ConversionWarning
from ese_host.errors import UnsupportedError
from ese_host.ir import Activation, Fixed, Gru
from support.keras_models.plugin_models import (
    as_list,
    bits,
    chain,
    classifier,
    convert,
    dense,
    fill,
    frames,
    golden_values,
    gru,
    lstm,
)

FORMS = pytest.mark.parametrize("reset_after", [True, False], ids=["after", "before"])


def stacked(*stack: Any, shape: tuple[int | None, ...] = (6, 7)) -> Any:
    return fill(keras.Sequential([keras.Input(shape, name="x"), *stack]), density=0.8)


def layer_of(model: Any, **options: Any) -> Gru:
    layer = convert(model, **options).ese_conversion.network.layers[0]
    assert isinstance(layer, Gru)
    return layer


def is_exact(model: Any, **options: Any) -> bool:
    x = frames(model, samples=20)
    pairs = zip(golden_values(convert(model, **options).ese_conversion, x), as_list(model(x[0])), strict=True)
    return all(np.array_equal(found, expected) for found, expected in pairs)


def largest_difference(model: Any, **options: Any) -> float:
    x = frames(model, samples=200)
    found = golden_values(convert(model, **options).ese_conversion, x)[0]
    expected = np.asarray(model(x[0]))
    assert (found.argmax(-1) == expected.argmax(-1)).mean() >= 0.995
    return float(np.abs(found - expected).max())


@FORMS
def test_hard_8_bit_layers_are_exactly_keras(reset_after: bool) -> None:
    assert is_exact(chain(gru(reset_after=reset_after), dense()))
    first = gru(reset_after=reset_after, return_sequences=True)
    assert is_exact(chain(first, gru(5, "next", reset_after=not reset_after), dense()))
    assert is_exact(chain(gru(reset_after=reset_after, return_sequences=True, use_bias=False)))


@FORMS
def test_layers_of_both_kinds_share_an_engine(reset_after: bool) -> None:
    first, last = gru(6, "first", reset_after=reset_after, return_sequences=True), gru(4, reset_after=reset_after)
    model = chain(first, lstm(5, return_sequences=True), last, dense(activation=quantized_relu(6, 2)))
    graph = convert(model)
    assert graph.ese_conversion.mapping.design.cells == "lstm+gru"
    assert len(graph.ese_conversion.program.chains) == 1
    assert is_exact(model)


@FORMS
def test_the_matrices_are_those_of_keras(reset_after: bool) -> None:
    model = chain(gru(reset_after=reset_after))
    layer, cell = layer_of(model), model.get_layer("gru").cell
    recurrent = np.asarray(cell.recurrent_quantizer_internal(cell.recurrent_kernel), np.float64).T
    found = [layer.recurrent.values()] + ([] if layer.candidate is None else [layer.candidate.values()])
    assert layer.reset_after == reset_after
    assert np.array_equal(np.concatenate(found), recurrent)
    bias = np.asarray(cell.bias_quantizer_internal(cell.bias), np.float64)
    assert np.array_equal(np.ldexp(layer.bias, -layer.bias_frac), gru_bias(bias))


def test_the_biases_of_z_and_r_are_added() -> None:
    model = chain(gru(2, bias_quantizer=bits(8, 3), reset_after=True), shape=(6, 3))
    bias = model.get_layer("gru").cell.bias
    values = np.array([[5.0, 6.5, 1.0, -7.0, 0.25, 1.5], [6.0, -6.5, 0.0625, -7.5, 2.0, 3.0]])
    bias.assign(values)
    layer = layer_of(model)
    assert np.ldexp(layer.bias, -layer.bias_frac).tolist() == [11, 0, 1.0625, -14.5, 0.25, 1.5, 2, 3]
    assert is_exact(model)


@pytest.mark.parametrize(
    ("changes", "reset", "told"),
    [
        ({}, Fixed(16, 2), False),
        ({"recurrent_activation": quantized_sigmoid(6)}, Fixed(14, 2), False),
        ({"recurrent_activation": "hard_sigmoid"}, Fixed(16, 2), True),
        ({"state_quantizer": bits(12, 3)}, Fixed(16, 4), True),
    ],
    ids=["exact", "fewer bits", "gate of 17 bits", "wide state"],
)
def test_what_r_times_h_is_rounded_to(changes: dict[str, Any], reset: Fixed, told: bool) -> None:
    conversion = convert(chain(gru(**changes), dense())).ese_conversion
    assert conversion.network.layers[0].reset == reset
    notes = [note for note in conversion.summary.notes if "r * h" in note]
    assert bool(notes) == told
    assert not told or notes[0] == (
        "layer 'gru': r * h, which the recurrent kernel of the candidate reads with reset_after=False, has no "
        f"quantizer; its value is rounded to {reset}"
    )


@FORMS
@pytest.mark.parametrize(
    "activations",
    [("tanh", "sigmoid"), ("tanh", "hard_sigmoid"), ("sigmoid", "sigmoid")],
    ids=["smooth", "hard gates", "sigmoid"],
)
def test_float_layers_predict_what_keras_predicts(activations: tuple[str, str], reset_after: bool) -> None:
    options: dict[str, Any] = dict(zip(("activation", "recurrent_activation"), activations, strict=True))
    model = stacked(layers.GRU(9, reset_after=reset_after, name="gru", **options), layers.Dense(4))
    assert largest_difference(model, Precision="fixed<16,4>") < 0.002


@FORMS
@pytest.mark.parametrize("smooth", [False, True], ids=["hard", "smooth"])
def test_quantized_layers_predict_what_keras_predicts(smooth: bool, reset_after: bool) -> None:
    changes = {
        "activation": quantized_tanh(12, use_real_tanh=smooth),
        "recurrent_activation": quantized_sigmoid(12, use_real_sigmoid=smooth),
        "state_quantizer": bits(14, 1),
        "kernel_quantizer": quantized_bits(8, 0, alpha="auto"),
    }
    assert largest_difference(chain(gru(reset_after=reset_after, **changes), dense())) < 0.01


def test_h_of_a_float_layer_has_a_format_that_holds_it() -> None:
    conversion = convert(stacked(layers.GRU(3, name="gru"), shape=(None, 2))).ese_conversion
    assert conversion.network.layers[0].state == Fixed(16, 2)
    note = "layer 'gru' (GRU) has no state_quantizer; h is rounded to fixed<16,2>, which holds all its values"
    assert note in conversion.summary.notes and not conversion.summary.warnings
    asked = {"gru": {"Precision": {"state": "fixed<12,3>"}}}
    assert layer_of(stacked(layers.GRU(3, name="gru")), layers=asked).state == Fixed(12, 3)
    assert layer_of(stacked(layers.GRU(3, name="gru")), Precision="fixed<12,1>").state == Fixed(12, 1)


@pytest.mark.filterwarnings("ignore:layer 'lstm'")
def test_beside_an_lstm_h_has_the_format_of_the_model() -> None:
    model = stacked(layers.LSTM(5, return_sequences=True, name="lstm"), layers.GRU(4, name="gru"), layers.Dense(3))
    network = convert(model).ese_conversion.network
    assert [layer.state for layer in network.layers[:2]] == [Fixed(16, 6)] * 2
    assert largest_difference(model) < 0.02


@pytest.mark.parametrize("name", ["activation", "recurrent_activation"])
def test_activations_that_no_gru_has_are_refused(name: str) -> None:
    with pytest.raises(UnsupportedError, match=f"^layer 'gru': {name} is linear; tanh, sigmoid, hard_sigmoid"):
        changes: dict[str, Any] = {name: "linear"}
        convert(chain(gru(**changes)))


def test_gates_that_are_no_sigmoid_are_refused() -> None:
    message = r"^layer 'gru': recurrent_activation is hard_tanh; the gates of a GRU need a sigmoid or a hard sigmoid"
    with pytest.raises(UnsupportedError, match=message):
        convert(chain(gru(recurrent_activation=quantized_tanh(8))))


def test_a_state_that_no_engine_holds_is_refused() -> None:
    message = (
        r"^layer 'gru': state_quantizer is .*; h must be signed and have at most 16 bits: use, say, quantized_bits"
    )
    for quantizer in (bits(20, 2), quantized_relu(8, 1)):
        with pytest.raises(UnsupportedError, match=message):
            convert(chain(gru(state_quantizer=quantizer)))


def test_states_of_different_formats_have_a_format_set_each() -> None:
    model = chain(lstm(state_quantizer=bits(8, 2), return_sequences=True), gru())
    sets = convert(model).ese_conversion.mapping.design.sets
    assert [formats.state for formats in sets] == [Fixed(8, 3), Fixed(8, 2)]
    assert is_exact(model)


def test_gates_without_quantizer_are_told() -> None:
    conversion = convert(stacked(layers.GRU(3, name="gru"))).ese_conversion
    assert conversion.network.layers[0].gate == Activation("sigmoid", Fixed(17, 1, signed=False))
    text = str(conversion.summary)
    assert "- layer 'gru': recurrent_activation has no quantizer; its value is rounded to ufixed<17,1>" in text


def test_a_float_bias_is_rounded_once() -> None:
    conversion = convert(chain(gru(bias_quantizer=None, reset_after=True))).ese_conversion
    report = next(item for item in conversion.summary.tensors if item.tensor == "bias")
    assert 0 < report.deviation < 2.0**-15 and report.shape == (2, 30)
    assert not any("bias" in text for text in conversion.summary.warnings)


def test_a_configured_precision_rounds_each_bias() -> None:
    model = stacked(layers.GRU(2, name="gru"))
    values = np.array([[0.3, 0.3, 0.3, 0.3, 0.3, 0.3], [0.3, -0.3, 0.3, 0.3, 0.3, 3.0]])
    model.get_layer("gru").cell.bias.assign(values)
    with pytest.warns(
        ConversionWarning, match=r"^layer 'gru': bias has no quantizer; it is rounded to fixed<4,2>, by "
    ):
        layer = layer_of(model, layers={"gru": {"Precision": {"bias": "fixed<4,2>"}}})
    assert np.ldexp(layer.bias, -layer.bias_frac).tolist() == [0.5, 0, 0.5, 0.5, 0.25, 0.25, 0.25, 1.75]


def test_the_kernels_become_the_kind_of_the_others() -> None:
    graph = convert(classifier(kernel_quantizer=quantized_bits(8, 0, alpha=1)))
    assert graph.ese_conversion.mapping.design.cells == "lstm"
    layer = layer_of(chain(gru(kernel_quantizer=quantized_bits(8, 0, alpha=1))))
    assert {matrix.kind for matrix in layer.matrices().values()} == {"int8"}


@pytest.mark.parametrize("granularity", ["model", "type", "name"])
def test_every_granularity_of_the_configuration(granularity: str) -> None:
    import hls4ml

    model = stacked(layers.GRU(5, name="gru"), layers.Dense(3))
    config = hls4ml.utils.config_from_keras_model(model, granularity=granularity, backend="ESE")
    form = {"Precision": {"state": "fixed<14,2>", "recurrent_weight": "fixed<8,2>"}}
    config.setdefault("LayerType", {}).setdefault("SparseGRU", {}).update(form)
    graph = hls4ml.converters.convert_from_keras_model(model, backend="ESE", output_dir="unused", hls_config=config)
    layer = graph.ese_conversion.network.layers[0]
    assert (layer.state, layer.recurrent.kind) == (Fixed(14, 2), "int16")
    assert int(np.abs(layer.recurrent.levels).max()) < 1 << 7
    assert [node.get_attr("class_name") for node in graph.get_layers()][1] == "GRU"
