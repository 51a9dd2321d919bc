# SPDX-License-Identifier: Apache-2.0
"""Converted models have the matrices, formats, activations and outputs of Keras."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from qkeras import (
    QActivation,
    quantized_bits,
    quantized_relu,
    quantized_sigmoid,
    quantized_tanh,
    stochastic_ternary,
    ternary,
)

from ese_host.ir import golden
from ese_host.ir.activations import Activation
from ese_host.ir.fixed import Fixed
from ese_host.ir.network import Lstm
from support.keras_models.plugin_models import bits, chain, classifier, convert, dense, inputs, lstm


def named(value: Any) -> str:
    """A test id that is the same in every process: an activation's kind, a function's name, a quantizer's text."""
    return value.kind if isinstance(value, Activation) else getattr(value, "__name__", str(value))


def quantized(layer: Any, name: str) -> Any:
    """The (inputs, outputs) values that Keras computes with."""
    holder = getattr(layer, "cell", layer)
    quantizer = getattr(holder, f"{name.removesuffix('_kernel')}_quantizer_internal")
    return np.asarray(quantizer(getattr(holder, name)), dtype=np.float64)


def test_hard_8_bit_model_has_exactly_keras_values() -> None:
    model = classifier()
    conversion = convert(model).ese_conversion
    first, last = conversion.network.layers
    cell = model.get_layer("lstm").cell
    assert np.array_equal(first.kernel.values(), quantized(model.get_layer("lstm"), "kernel").T)
    assert np.array_equal(first.recurrent.values(), quantized(model.get_layer("lstm"), "recurrent_kernel").T)
    assert np.array_equal(last.kernel.values(), quantized(model.get_layer("dense"), "kernel").T)
    bias = np.asarray(cell.bias_quantizer_internal(cell.bias), dtype=np.float64)
    assert np.array_equal(np.ldexp(first.bias, -first.bias_frac), bias)
    assert conversion.summary.exact
    assert conversion.network.head == "softmax"


def test_hard_8_bit_model_gives_exactly_keras_logits() -> None:
    model = classifier()
    network = convert(model).ese_conversion.network
    x = inputs(model)
    result = golden.run(network, network.source.from_float(x))
    logits = keras.Model(model.inputs, model.get_layer("dense").output).predict(x, verbose=0)
    assert np.array_equal(np.ldexp(result.outputs[:, 0], -result.frac), logits)


def test_formats_of_the_8_bit_model() -> None:
    first = convert(classifier()).ese_conversion.network.layers[0]
    assert isinstance(first, Lstm)
    assert first.source == Fixed(8, 3)
    assert first.state == Fixed(8, 2)
    assert first.output is None
    assert first.exact_output == Fixed(16, 1)
    assert first.gate == Activation("hard_sigmoid", Fixed(8, 0, signed=False), 1 << 14, 1 << 14)
    assert first.cell == Activation("hard_tanh", Fixed(8, 1), 1 << 15, 0)


@pytest.mark.parametrize(
    ("quantizer", "kind"),
    [
        (quantized_bits(4, 0, alpha=1.0), "int4"),
        (quantized_bits(4, 1, 1, alpha=1.0), "int4"),
        (quantized_bits(4, 0, alpha=None), "int4"),
        (quantized_bits(4, 0, alpha="auto"), "int4"),
        (quantized_bits(4, 0, alpha="auto_po2"), "int4"),
        (quantized_bits(3, 0, alpha=1.0), "int4"),
        (ternary(), "ternary"),
        (ternary(alpha=1.0), "ternary"),
        (ternary(alpha="auto"), "ternary"),
        (ternary(alpha="auto_po2"), "ternary"),
        (stochastic_ternary(alpha="auto"), "ternary"),
        (stochastic_ternary(alpha="auto_po2"), "ternary"),
    ],
    ids=named,
)
def test_qkeras_weight_quantizers(quantizer: Any, kind: str) -> None:
    model = chain(dense(9, kernel_quantizer=quantizer), shape=(7,))
    conversion = convert(model).ese_conversion
    (layer,) = conversion.network.layers
    expected = quantized(model.get_layer("dense"), "kernel").T
    assert layer.kernel.kind == kind
    power_of_two = getattr(quantizer, "alpha", None) != "auto"
    if power_of_two:
        assert np.array_equal(layer.kernel.values(), expected)
    step = 2.0**-layer.kernel.scale_frac
    bound = 0 if power_of_two else 8 * step
    report = conversion.summary.tensors[0]
    assert report.deviation <= bound
    assert np.abs(layer.kernel.values() - expected).max() == pytest.approx(report.deviation, abs=1e-7)
    assert conversion.summary.exact == power_of_two


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("tanh", Activation("tanh", Fixed(18, 2))),
        ("hard_tanh", Activation("hard_tanh", Fixed(25, 2), 1 << 15, 0)),
        (quantized_tanh(8, symmetric=True), Activation("hard_tanh", Fixed(8, 1, symmetric=True), 1 << 15, 0)),
        (quantized_tanh(6, use_real_tanh=True), Activation("tanh", Fixed(6, 1))),
    ],
    ids=named,
)
def test_cell_activations(function: Any, expected: Activation) -> None:
    behind = QActivation(bits(16, 0), name="h")
    assert convert(chain(lstm(activation=function), behind, dense())).ese_conversion.network.layers[0].cell == expected


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("sigmoid", Activation("sigmoid", Fixed(17, 1, signed=False))),
        ("hard_sigmoid", Activation("hard_sigmoid", Fixed(17, 1, signed=False), 1 << 14, 1 << 14)),
        (keras.activations.hard_sigmoid, Activation("hard_sigmoid", Fixed(17, 1, signed=False), 5461, 1 << 14)),
        (quantized_sigmoid(7), Activation("hard_sigmoid", Fixed(7, 0, signed=False), 1 << 14, 1 << 14)),
        (quantized_sigmoid(8, use_real_sigmoid=True), Activation("sigmoid", Fixed(8, 0, signed=False))),
    ],
    ids=named,
)
def test_gate_activations(function: Any, expected: Activation) -> None:
    behind = QActivation(bits(16, 0), name="h")
    conversion = convert(chain(lstm(recurrent_activation=function), behind, dense())).ese_conversion
    assert conversion.network.layers[0].gate == expected
    assert any("rounded to 15 fractional bits" in note for note in conversion.summary.notes) == (expected.slope == 5461)


ALPHAS = {
    "None": None,
    "1": 1.0,
    "auto_po2": "auto_po2",
    "auto": "auto",
    "by output": [0.5, 1.0, 0.25, 2.0] * 10,
    "by output, no powers of two": [0.6, 1.1, 0.3, 0.9] * 10,
}


@pytest.mark.parametrize("smooth", [False, True], ids=["hard", "smooth"])
@pytest.mark.parametrize("alpha", ALPHAS)
def test_a_qlstm_of_every_alpha_gives_what_keras_gives(alpha: str, smooth: bool) -> None:
    kernels = (quantized_bits(4, 0, alpha=ALPHAS[alpha]) for _ in range(2))
    changes = dict(zip(("kernel_quantizer", "recurrent_quantizer"), kernels, strict=True))
    changes["activation"] = quantized_tanh(8, use_real_tanh=smooth)
    changes["recurrent_activation"] = quantized_sigmoid(8, use_real_sigmoid=smooth)
    model = chain(lstm(**changes, use_bias=not smooth), dense())
    network = convert(model).ese_conversion.network
    x = inputs(model)
    result = golden.run(network, network.source.from_float(x))
    found, expected = np.ldexp(result.outputs[:, 0].astype(float), -result.frac), model.predict(x, verbose=0)
    if not smooth and alpha not in ("auto", "by output, no powers of two"):
        assert np.array_equal(found, expected)
    # In all other cases, a float32 sum may fall on the other side of a rounding step: numerics.md, "Against Keras"
    differ = np.abs(found - expected).max(axis=1) > 0.001
    assert differ.mean() <= 0.1 and np.abs(found - expected).max() <= 0.01


def test_without_bias() -> None:
    model = chain(lstm(use_bias=False), dense(use_bias=False))
    network = convert(model).ese_conversion.network
    assert not any(layer.bias.any() for layer in network.layers)
    x = inputs(model)
    result = golden.run(network, network.source.from_float(x))
    assert np.array_equal(np.ldexp(result.outputs[:, 0], -result.frac), model.predict(x, verbose=0))


def test_bias_without_quantizer_is_rounded_and_reported() -> None:
    conversion = convert(chain(dense(bias_quantizer=None), shape=(7,))).ese_conversion
    report = conversion.summary.tensors[1]
    assert 0 < report.deviation < 2**-15
    assert any("has no quantizer; it is rounded to 16 bits" in note for note in conversion.summary.notes)


def test_chain_with_quantizers_relu_and_dropout() -> None:
    model = chain(
        lstm(return_sequences=True),
        QActivation(bits(8, 0), name="h"),
        keras.layers.Dropout(0.3),
        dense(6, name="hidden"),
        QActivation(quantized_relu(8, 2), name="relu"),
        dense(4, activation="relu", name="last"),
    )
    conversion = convert(model).ese_conversion
    first, hidden, last = conversion.network.layers
    assert first.output == hidden.source == Fixed(8, 1)
    assert (hidden.relu, hidden.output) == (True, Fixed(8, 2, signed=False))
    assert (last.relu, last.output, last.source) == (True, None, Fixed(8, 2, signed=False))
    x = inputs(model)
    result = golden.run(conversion.network, conversion.network.source.from_float(x))
    assert np.array_equal(np.ldexp(result.outputs, -result.frac), model.predict(x, verbose=0))


def test_quantized_activation_within_the_dense_layer() -> None:
    (layer,) = convert(chain(dense(activation=quantized_relu(6, 1)), shape=(7,))).ese_conversion.network.layers
    assert (layer.relu, layer.output) == (True, Fixed(6, 1, signed=False))


def test_input_format_from_the_configuration() -> None:
    import hls4ml

    model = chain(dense(), shape=(7,), source=None)
    config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend="ESE")
    config["LayerName"]["x"]["Precision"]["result"] = "fixed<12,4>"
    graph = hls4ml.converters.convert_from_keras_model(model, backend="ESE", hls_config=config, output_dir="unused")
    assert graph.ese_conversion.network.source == Fixed(12, 4)


def test_own_quantizers_are_asked_for_their_codes() -> None:
    quantizers = pytest.importorskip("ese_models.quantizers")
    for cls, kind in ((quantizers.MaskedTernary, "ternary"), (quantizers.MaskedInt4, "int4")):
        model = classifier(kernel_quantizer=cls(), recurrent_quantizer=cls())
        model.get_layer("dense").kernel_quantizer_internal = cls()
        conversion = convert(model).ese_conversion
        first = conversion.network.layers[0]
        assert first.kernel.kind == kind
        kernel = np.asarray(model.get_layer("lstm").cell.kernel)
        assert np.array_equal(first.kernel.codes.T != 0, kernel != 0)
        assert np.array_equal(first.kernel.values().astype(np.float32), quantized(model.get_layer("lstm"), "kernel").T)
        assert conversion.summary.exact


def test_summary_prints_and_serializes() -> None:
    summary = convert(classifier()).ese_conversion.summary
    text, value = str(summary), summary.to_json()
    assert "lstm/recurrent_kernel" in text and "exact" in text
    assert [item["tensor"] for item in value["tensors"]] == ["kernel", "recurrent_kernel", "bias", "kernel", "bias"]
