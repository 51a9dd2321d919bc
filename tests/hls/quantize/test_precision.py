# SPDX-License-Identifier: Apache-2.0
"""Kernels without quantizer are rounded to precisions of hls4ml's configuration; models of several weight kinds."""

from __future__ import annotations

from typing import Any

import hls4ml
import keras
import numpy as np
import pytest
from qkeras import QActivation, binary, quantized_bits, quantized_po2, ternary

from ese_host.errors import UnsupportedError
from ese_host.ir import golden
from ese_host.ir.fixed import Fixed
from support.keras_models.plugin_models import chain, classifier, convert, dense, inputs, lstm


def plain(**changes: Any) -> Any:
    return chain(keras.layers.Dense(5, name="dense"), shape=(7,), **changes)


def kernel(model: Any) -> Any:
    return np.asarray(model.get_layer("dense").kernel, dtype=np.float64)


def converted(model: Any, precision: Any = None, **model_options: Any) -> Any:
    config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend="ESE")
    config["Model"].update(model_options)
    if precision is not None:
        config["LayerName"]["dense"]["Precision"] = precision
    graph = hls4ml.converters.convert_from_keras_model(model, backend="ESE", output_dir="unused", hls_config=config)
    return graph.ese_conversion


@pytest.mark.parametrize(
    ("precision", "form", "kind"),
    [
        ("fixed<4,1>", Fixed(4, 1), "int4"),
        ("ap_fixed<8,2>", Fixed(8, 2), "int8"),
        ("ap_fixed<8,2,AP_RND,AP_SAT>", Fixed(8, 2), "int8"),
        ("ufixed<8,1>", Fixed(8, 1, signed=False), "int8"),
        ("fixed<2,2>", Fixed(2, 2), "ternary"),
        ("int<3>", Fixed(3, 3), "ternary"),
        ("fixed<16,2>", Fixed(16, 2), "int16"),
    ],
)
@pytest.mark.filterwarnings("ignore::ese_hls.warnings.ConversionWarning")
def test_weights_are_rounded_half_to_even_and_saturated(precision: str, form: Fixed, kind: str) -> None:
    model = plain()
    conversion = converted(model, {"weight": precision})
    matrix = conversion.network.layers[0].kernel
    assert np.array_equal(matrix.values().T, form.to_float(form.from_float(kernel(model))))
    assert matrix.kind == kind
    report = conversion.summary.tensors[0]
    text = f"{'' if form.signed else 'u'}fixed<{form.bits},{form.integer}>"
    assert report.quantizer == text
    assert report.deviation == np.abs(matrix.values().T - kernel(model)).max()
    note = f"layer 'dense': kernel has no quantizer; it is rounded to {text}, by at most {report.deviation:.2g}"
    if form.signed:
        assert note in conversion.summary.notes
    else:
        assert conversion.summary.warnings[0].startswith(f"{note}: values from ")


@pytest.mark.parametrize("precision", [None, "auto"])
def test_weights_without_a_precision_of_their_own_get_16_bits_by_output(precision: str | None) -> None:
    """The model's default is not meant for weights: 24 is held, and 0.01 beside it, each to 16 bits."""
    model = plain()
    exact = kernel(model) * np.array([100, 1, 0.1, 1, 1])
    model.get_layer("dense").kernel.assign(exact)
    exact = kernel(model)
    conversion = converted(model, None if precision is None else {"weight": precision})
    matrix = conversion.network.layers[0].kernel
    error = np.abs(matrix.values().T - exact).max(axis=0)
    assert (error <= np.abs(exact).max(axis=0) * 2.0**-15).all() and error.max() > 0
    assert matrix.kind == "int16"
    assert conversion.summary.warnings == ()
    note = "layer 'dense': kernel has no quantizer; it is rounded to 16 bits for each output, by at most "
    assert f"{note}{error.max():.2g}" in conversion.summary.notes


def test_weights_that_need_few_bits_get_few() -> None:
    model = plain()
    model.get_layer("dense").kernel.assign(np.where(kernel(model) > 0, 50, 0))
    matrix = converted(model).network.layers[0].kernel
    assert matrix.kind == "int8"
    assert np.array_equal(matrix.values().T, kernel(model))


def test_precision_beyond_16_bits_keeps_16_of_them() -> None:
    model = plain()
    conversion = converted(model, {"weight": "fixed<32,16>"})
    matrix = conversion.network.layers[0].kernel
    largest = np.abs(kernel(model)).max()
    assert matrix.kind == "int16"
    assert 0 < conversion.summary.tensors[0].deviation <= largest * 2**-15


def test_precision_by_type_and_by_model() -> None:
    model = plain()
    config = hls4ml.utils.config_from_keras_model(model, granularity="type", backend="ESE")
    config["LayerType"]["SparseDense"]["Precision"] = {"weight": "fixed<8,1>"}
    graph = hls4ml.converters.convert_from_keras_model(model, backend="ESE", output_dir="unused", hls_config=config)
    assert graph.ese_conversion.summary.tensors[0].quantizer == "fixed<8,1>"
    precision = {"default": "fixed<16,6>", "weight": "fixed<10,2>"}
    assert converted(model, Precision=precision).summary.tensors[0].quantizer == "fixed<10,2>"
    assert converted(model, Precision="fixed<10,2>").summary.tensors[0].quantizer == "none"


def test_bias_takes_a_precision_of_its_own_or_16_bits() -> None:
    model = plain()
    bias = np.asarray(model.get_layer("dense").bias, dtype=np.float64)
    layer = converted(model).network.layers[0]
    assert np.abs(np.ldexp(layer.bias, -layer.bias_frac) - bias).max() <= 2.0**-15
    layer = converted(model, {"bias": "fixed<6,2>"}).network.layers[0]
    assert np.array_equal(np.ldexp(layer.bias, -layer.bias_frac), Fixed(6, 2).to_float(Fixed(6, 2).from_float(bias)))


def test_float_lstm_kernels_take_hls4mls_names() -> None:
    model = chain(lstm(kernel_quantizer=None, recurrent_quantizer=None), dense())
    precision = {"weight": "fixed<8,1>", "recurrent_weight": "fixed<6,1>"}
    conversion = convert(model, layers={"lstm": {"Precision": precision}}).ese_conversion
    kinds = {(item.layer, item.tensor): (item.quantizer, item.kind) for item in conversion.summary.tensors}
    assert kinds["lstm", "kernel"] == ("fixed<8,1>", "int8")
    assert kinds["lstm", "recurrent_kernel"] == ("fixed<6,1>", "int8")
    assert {layer.kernel.kind for layer in conversion.network.layers} == {"int8"}


def test_a_precision_that_no_weight_can_have() -> None:
    key = r"hls_config\['LayerName'\]\['dense'\]\['Precision'\]\['weight'\]"
    with pytest.raises(UnsupportedError, match=rf"^{key} is float; a fixed-point format is allowed: write, say"):
        converted(plain(), {"weight": "float"})


def test_a_model_without_zero_weights_converts_with_a_note() -> None:
    conversion = converted(chain(dense(kernel_quantizer=binary(alpha=1.0)), shape=(7,), density=1.1))
    assert conversion.summary.notes[-3] == (
        "no weight is zero: all 35 multiply-adds of a step are executed; prune the model first (`ese4ml compress`) to "
        "skip most of them"
    )


def test_layers_of_different_kinds_give_keras_logits() -> None:
    model = chain(
        lstm(kernel_quantizer=ternary(alpha=0.5), recurrent_quantizer=quantized_bits(4, 0)),
        QActivation(quantized_bits(8, 0, alpha=1), name="h"),
        dense(6, kernel_quantizer=quantized_po2(4, 1), name="hidden"),
        QActivation(quantized_bits(8, 1, alpha=1), name="a"),
        dense(4, kernel_quantizer=quantized_bits(8, 0, alpha=1.0), name="last"),
    )
    conversion = convert(model).ese_conversion
    assert [item.kind for item in conversion.summary.tensors if item.tensor != "bias"] == [
        "ternary",
        "int4",
        "int12",
        "int8",
    ]
    assert {layer.kernel.kind for layer in conversion.network.layers} == {"int12"}
    (why,) = (note for note in conversion.summary.notes if note.startswith("weights are"))
    assert "weights are int12, the narrowest" in why and "3 of 4 matrices would fit a narrower kind" in why
    x = inputs(model)
    result = golden.run(conversion.network, conversion.network.source.from_float(x))
    assert np.array_equal(np.ldexp(result.outputs[:, 0], -result.frac), model.predict(x, verbose=0))


def test_the_user_may_ask_for_a_wider_kind() -> None:
    conversion = convert(classifier(), Weights="int8").ese_conversion
    assert {layer.kernel.kind for layer in conversion.network.layers} == {"int8"}
    assert "weights are int8, as configured; int4 would hold all of them" in conversion.summary.notes
