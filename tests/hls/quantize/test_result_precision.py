# SPDX-License-Identifier: Apache-2.0
"""Models without quantizers take their formats from hls4ml's `Precision`; the summary says what was rounded."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl

from ese_hls.warnings import ConversionWarning
from ese_host.errors import UnsupportedError
from ese_host.ir.fixed import Fixed
from support.keras_models.plugin_models import convert, fill, frames, golden_values


def plain() -> Any:
    """A float Keras classifier with small weights."""
    model = keras.Sequential(
        [
            keras.Input((6, 7), name="x"),
            kl.LSTM(5, name="lstm"),
            kl.Dense(6, activation="tanh", name="hidden"),
            kl.Dense(4, activation="relu", name="cut"),
            kl.Dense(3, activation="softmax", name="classes"),
        ]
    )
    return fill(model, density=0.6)


def test_a_float_model_converts_by_the_models_default() -> None:
    model = plain()
    conversion = convert(model).ese_conversion
    assert [port.format for port in conversion.program.inputs] == [Fixed(16, 6)]
    first, second = conversion.program.chains
    lstm, hidden = first.network.layers
    assert (lstm.state, lstm.output, hidden.output) == (Fixed(16, 6), Fixed(16, 2), None)
    cut, classes = second.network.layers
    assert (cut.source, cut.output, cut.relu, classes.output) == (Fixed(16, 2), Fixed(16, 4), True, None)
    notes = [note for note in conversion.summary.notes if "kernel" not in note and "bias" not in note]
    assert notes[:7] == [
        "input 'x' has no quantizer; its values are rounded to fixed<16,6> of the configuration, half to even, and "
        "saturated",
        "layer 'lstm' (LSTM) has no state_quantizer; h and c are rounded to fixed<16,6> of the configuration, half to "
        "even, and saturated",
        "layer 'lstm': recurrent_activation has no quantizer; its value is rounded to ufixed<17,1>",
        "layer 'lstm': activation has no quantizer; its value is rounded to fixed<18,2>",
        "layer 'lstm' has no quantizer; its output is rounded to fixed<16,2>, which holds all values that it can have",
        "layer 'hidden_tanh' has no quantizer; its output is rounded to fixed<16,2>",
        "layer 'cut_relu' has no quantizer; its output is rounded to fixed<16,4>, which holds all values that it can "
        "have",
    ]
    x = frames(model)
    np.testing.assert_allclose(golden_values(conversion, x)[0], np.asarray(model(x[0])), rtol=0, atol=0.01)


def test_without_any_configuration_the_default_is_hls4ml_s() -> None:
    import hls4ml

    model = plain()
    graph = hls4ml.converters.convert_from_keras_model(model, backend="ESE", output_dir="unused")
    assert [port.format for port in graph.ese_conversion.program.inputs] == [Fixed(16, 6)]
    assert graph.ese_conversion.summary.notes == convert(model).ese_conversion.summary.notes


def test_precision_of_single_layers() -> None:
    layers = {
        "x": {"Precision": {"result": "fixed<12,4>"}},
        "lstm": {"Precision": {"state": "fixed<16,4>", "result": "fixed<10,2>"}},
        "hidden_tanh": {"Precision": {"result": "fixed<8,1>"}},
        "cut": {"Precision": {"result": "ufixed<9,3>"}},
    }
    program = convert(plain(), layers=layers).ese_conversion.program
    lstm, _ = program.chains[0].network.layers
    cut, _ = program.chains[1].network.layers
    assert program.inputs[0].format == Fixed(12, 4)
    assert (lstm.state, lstm.output) == (Fixed(16, 4), Fixed(10, 2))
    assert (cut.source, cut.output) == (Fixed(8, 1), Fixed(9, 3, signed=False))


@pytest.mark.parametrize(
    ("layer", "precision", "message"),
    [
        (
            "lstm", {"state": "ufixed<8,2>"},
            r"^layer 'lstm' \(LSTM\): the configured format of its state is ufixed<8,2>; h and c must be signed: "
            r"set hls_config\['LayerName'\]\['lstm'\]\['Precision'\]\['state'\] to, say, 'fixed<16,4>'$",
        ),
        (
            "x", {"result": "fixed<64,50>"},
            r"^hls_config\['LayerName'\]\['x'\]\['Precision'\]\['result'\] is fixed<64,50>; at most 48 integer bits "
            r"are allowed: write, say, 'fixed<16,6>'$",
        ),
        (
            "x", {"result": "float"},
            r"^hls_config\['LayerName'\]\['x'\]\['Precision'\]\['result'\] is float; a fixed-point format is allowed: "
            r"write, say, 'fixed<16,6>'$",
        ),
    ],
)  # fmt: skip
def test_precisions_that_do_not_fit(layer: str, precision: dict[str, str], message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        convert(plain(), layers={layer: {"Precision": precision}})


def test_wider_precisions_keep_ten_fractional_bits_and_warn() -> None:
    layers = {"lstm": {"Precision": {"state": "fixed<32,4>"}}, "cut": {"Precision": {"result": "fixed<36,24>"}}}
    with pytest.warns(ConversionWarning) as caught:
        conversion = convert(plain(), layers=layers).ese_conversion
    assert conversion.program.chains[0].network.layers[0].state == Fixed(16, 4)
    assert conversion.program.tensors[conversion.splits[0].source].frac == Fixed(30, 20).frac
    sentences = [
        f"{what} rounded to {form} of the configuration, half to even, and saturated"
        for what, form in (
            ("layer 'lstm' (LSTM) has no state_quantizer; h and c are", "fixed<16,4> instead of fixed<32,4>"),
            ("layer 'cut_relu' has no quantizer; its output is", "fixed<30,20> instead of fixed<36,24>"),
        )
    ]
    owners = (("lstm", "state", 2.0**-13), ("cut_relu", "result", None))
    keys = [f"hls_config['LayerName'][{name!r}]['Precision'][{what!r}]" for name, what, _ in owners]
    reads = ("a vector element has 16", "a Dense layer reads, in two parts, 30")
    ours = [item.message for item in caught if isinstance(item.message, ConversionWarning)]
    texts = [
        f"{text}: {read} bits; {key} sets other ones" for text, read, key in zip(sentences, reads, keys, strict=True)
    ]
    assert [str(warning) for warning in ours] == list(conversion.summary.warnings) == texts
    found = [(warning.layer, warning.key, warning.loss) for warning in ours]
    assert found == [(name, key, loss) for (name, _, loss), key in zip(owners, keys, strict=True)]
