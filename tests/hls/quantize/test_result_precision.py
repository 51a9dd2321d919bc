"""Models without quantizers take their formats from hls4ml's `Precision`; the summary says what was rounded."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl

from ese_host.errors import UnsupportedError
from ese_host.ir.fixed import Fixed
from support.plugin_models import convert, fill, frames, golden_values


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
    assert (lstm.state, lstm.output, hidden.output) == (Fixed(16, 6), Fixed(16, 6), None)
    cut, classes = second.network.layers
    assert (cut.source, cut.output, cut.relu, classes.output) == (Fixed(16, 1), Fixed(16, 6), True, None)
    notes = [note for note in conversion.summary.notes if "kernel" not in note and "bias" not in note]
    rounded = "is rounded to fixed<16,6> of the configuration, half to even, and saturated"
    assert notes[:5] == [
        "input 'x' has no quantizer; its values are rounded to fixed<16,6> of the configuration, half to even, and "
        "saturated",
        "layer 'lstm' (LSTM) has no state_quantizer; h and c are rounded to fixed<16,6> of the configuration, half to "
        "even, and saturated",
        f"layer 'lstm' has no quantizer; its output {rounded}",
        "layer 'hidden_tanh' has no quantizer; its output is rounded to fixed<16,1>",
        f"layer 'cut_relu' has no quantizer; its output {rounded}",
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
            r"^hls_config: Precision of 'x' is fixed<64,50>; at most 48 integer bits are allowed: write, say, "
            r"'fixed<16,6>'$",
        ),
        (
            "x", {"result": "float"},
            r"^hls_config: Precision of 'x' is float; a fixed-point format is allowed: write, say, 'fixed<16,6>'$",
        ),
    ],
)  # fmt: skip
def test_precisions_that_do_not_fit(layer: str, precision: dict[str, str], message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        convert(plain(), layers={layer: {"Precision": precision}})


def test_wider_precisions_keep_six_integer_bits_and_warn() -> None:
    layers = {"lstm": {"Precision": {"state": "fixed<32,4>"}}, "cut": {"Precision": {"result": "fixed<24,16>"}}}
    with pytest.warns(UserWarning) as caught:
        conversion = convert(plain(), layers=layers).ese_conversion
    assert conversion.program.chains[0].network.layers[0].state == Fixed(16, 4)
    assert conversion.program.chains[1].network.layers[0].output == Fixed(16, 6)
    notes = [
        f"{what} rounded to {form} of the configuration, half to even, and saturated"
        for what, form in (
            ("layer 'lstm' (LSTM) has no state_quantizer; h and c are", "fixed<16,4> instead of fixed<32,4>"),
            ("layer 'cut_relu' has no quantizer; its output is", "fixed<16,6> instead of fixed<24,16>"),
        )
    ]
    assert set(notes) < set(conversion.summary.notes)
    ours = [str(item.message) for item in caught if "vector element" in str(item.message)]
    assert ours == [f"{note}: a vector element has 16 bits" for note in notes]
