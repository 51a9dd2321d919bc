# SPDX-License-Identifier: Apache-2.0
"""Models and options that the engine cannot run are refused by name, with what to change."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from qkeras import bernoulli, quantized_bits

from ese_host.errors import FormatError, UnsupportedError
from support.keras_models.plugin_models import bits, chain, classifier, convert, dense

REFUSALS: dict[str, tuple[Any, str]] = {
    "convolution": (
        lambda: chain(keras.layers.Conv2D(2, 2, name="conv"), shape=(6, 7, 1)),
        r"layer 'conv' \(Conv2D\) has no place in the engine; it runs LSTM, .*: replace the layer or leave it out",
    ),
    "wide state": (
        lambda: classifier(state_quantizer=bits(20, 2)),
        r"state_quantizer is quantized_bits\(20.*at most 16",
    ),
    "noise in weights": (
        lambda: chain(dense(kernel_quantizer=quantized_bits(8, 0, alpha=1, qnoise_factor=0.5)), shape=(7,)),
        r"layer 'dense': kernel: quantized_bits\(8,.* values that are not integer multiples of its scale; .*: set q",
    ),
    "random weights": (
        lambda: chain(dense(kernel_quantizer=bernoulli()), shape=(7,)),
        r"layer 'dense': kernel has quantizer bernoulli\(alpha='auto_po2'\), which is not for weights; q.*: use one",
    ),
    "data-dependent scale of an activation": (
        lambda: classifier(state_quantizer=quantized_bits(8, 1, alpha="auto")),
        r"layer 'lstm': state_quantizer is .* with alpha='auto', a scale that no fixed-point format has;",
    ),
    "linear cell": (lambda: classifier(activation="linear"), r"layer 'lstm': activation is linear; tanh, sigmoid,"),
}
WITHOUT_PRECISION: dict[str, tuple[Any, str]] = {
    "float lstm": (
        lambda: chain(keras.layers.LSTM(3, name="plain"), dense()),
        r"layer 'plain' \(LSTM\) has no state_quantizer; .* state_quantizer=quantized_bits\(16, 3, alpha=1\)",
    ),
    "no state quantizer": (lambda: classifier(state_quantizer=None), r"layer 'lstm' \(QLSTM\) has no state_quantizer"),
    "no input quantizer": (
        lambda: chain(dense(), shape=(7,), source=None),
        r"input 'x' has no quantizer; .*QActivation\('quantized_bits\(16, 3, alpha=1\)'\)",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refused_by_name(case: str) -> None:
    build, message = REFUSALS[case]
    with pytest.raises(UnsupportedError, match=message):
        convert(build())


@pytest.mark.parametrize("case", WITHOUT_PRECISION)
def test_refused_where_no_precision_is_configured(case: str) -> None:
    build, message = WITHOUT_PRECISION[case]
    with pytest.raises(UnsupportedError, match=message):
        convert(build(), configured=False)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("tensor", ["kernel", "recurrent_kernel", "bias"])
def test_weights_that_are_no_numbers(tensor: str, value: float) -> None:
    model = classifier()
    variable = getattr(model.get_layer("lstm").cell, tensor)
    array = np.array(variable)
    array[(1,) * array.ndim] = value
    variable.assign(array)
    where = r"\(1, 1\)" if array.ndim == 2 else r"\(1,\)"
    with pytest.raises(FormatError, match=rf"layer 'lstm': {tensor} is {value} at {where}; weights must be finite"):
        convert(model)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("PE", 8, r"has key 'PE'; did you mean 'PEs'\? \(backend ESE knows PEs, GapBits, "),
        ("PEs", 0, r"option pes .* is 0; 1 to 256 is allowed"),
        ("AccBanks", 3, r"option acc_banks .*\['AccBanks'\]\) is 3; 1, 2 or 4 is allowed"),
        ("GapBits", 20, r"option gap_bits .* is 20; 2 to 12 is allowed"),
        ("Mode", "dense", r"option mode .* is 'dense'; stream or skip is allowed"),
        ("WeightCode", "int5", r"option weights .* is 'int5'; ternary, int4, int8, int12, int16 or codebook4"),
        (
            "WeightCode",
            "ternary",
            r"'WeightCode'\] is 'ternary', but layer 'lstm': kernel has levels -\d..\d, which need int4",
        ),
        ("WeightCode", "codebook4", r"'WeightCode'\] is 'codebook4', but .* or choose 'int4' or a wider kind"),
        ("FifoDepth", 6, r"option fifo_depth .* is 6; 1, 2, 4, 8"),
        ("Window", 4, r"option window .* is 4; 0, 8, 16, 32, 64, 128 or 256 is allowed"),
        ("WeightSource", "rom", r"'WeightSource'\] is 'rom'; 'image' is allowed: weights are loaded at run time"),
    ],
)
def test_options(key: str, value: Any, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        convert(classifier(), **{key: value})


def test_a_window_is_for_stream_mode_only() -> None:
    message = (
        r"^option window \(hls_config\['Model'\]\['Window'\]\) is 8 with mode 'skip', whose columns come in no fixed"
    )
    with pytest.raises(UnsupportedError, match=message):
        convert(classifier(), Mode="skip", Window=8)


def test_the_old_name_of_a_key_works_with_a_warning() -> None:
    with pytest.warns(FutureWarning, match=r"^hls_config\['Model'\]\['Weights'\] is called 'WeightCode' now; use "):
        conversion = convert(classifier(), Weights="int8")
    assert {
        matrix.kind for layer in conversion.ese_conversion.network.layers for matrix in layer.matrices().values()
    } == {"int8"}


def test_unknown_board() -> None:
    import hls4ml

    with pytest.raises(UnsupportedError, match=r"board is 'de10'; known boards: .*pynq-z2"):
        hls4ml.converters.convert_from_keras_model(classifier(), backend="ESE", board="de10", output_dir="unused")
