# SPDX-License-Identifier: Apache-2.0
"""Names and keys of the configuration: what hls4ml writes passes, what nothing reads is refused by name."""

from __future__ import annotations

import warnings
from typing import Any

import hls4ml
import keras
import pytest
from keras import layers as kl
from qkeras import QActivation, quantized_relu

from ese_hls.lower.options import nearest
from ese_hls.warnings import ConversionWarning
from ese_host.errors import UnsupportedError
from support.keras_models.plugin_models import bits, convert, dense, fill


def everything() -> Any:
    """A model with a layer of each kind that becomes a node of its own class."""
    x = keras.Input((6, 7), name="x")
    h = kl.LSTM(4, name="first", return_sequences=True)(x)
    h = kl.Bidirectional(kl.LSTM(3), name="both")(h)
    h = dense(5, activation=quantized_relu(8, 4), name="hidden")(h)
    h = QActivation(bits(8, 2), name="rounded")(kl.BatchNormalization(name="norm")(h))
    return fill(keras.Model(x, kl.Dense(3, activation="softmax", name="classes")(kl.Dropout(0.1, name="drop")(h))))


def settings(model: Any, changes: dict[str, Any], granularity: str = "name") -> Any:
    config = hls4ml.utils.config_from_keras_model(model, granularity=granularity, backend="ESE")
    for table, owners in changes.items():
        for owner, values in owners.items():
            config.setdefault(table, {}).setdefault(owner, {}).update(values)
    return hls4ml.converters.convert_from_keras_model(model, backend="ESE", output_dir="unused", hls_config=config)


@pytest.mark.filterwarnings("ignore::ese_hls.warnings.ConversionWarning")
@pytest.mark.parametrize("granularity", ["model", "type", "name"])
def test_what_hls4ml_writes_is_allowed(granularity: str) -> None:
    settings(everything(), {}, granularity)


def test_names_of_attributes_are_allowed_as_in_hls4ml() -> None:
    settings(
        everything(),
        {"LayerName": {"rounded": {"table_t": "fixed<20,4>", "inv_inp_t": "fixed<20,4>", "table_size": 9}}},
    )


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "layer": (
        {"LayerName": {"D1": {}}},
        "hls_config['LayerName']['D1']: the model has no layer 'D1'; 'x', 'first', 'both_forward', 'both_backward', "
        "'both', 'hidden', 'hidden_quantized_relu', 'norm', 'rounded', 'drop', 'classes', 'classes_softmax' are known: "
        "write one of them",
    ),
    "layer, nearly": (
        {"LayerName": {"hiden": {}}},
        "hls_config['LayerName']['hiden']: the model has no layer 'hiden'; did you mean 'hidden'?",
    ),
    "class": (
        {"LayerType": {"Dense": {"Precision": {"weight": "fixed<8,1>"}}}},
        "hls_config['LayerType']['Dense']: the model has no class 'Dense'; did you mean 'SparseDense'?",
    ),
    "key": (
        {"LayerName": {"hidden": {"Precison": "fixed<8,1>"}}},
        "hls_config['LayerName']['hidden'] has key 'Precison', which nothing reads; did you mean 'Precision'?",
    ),
    "key of a class": (
        {"LayerType": {"SparseDense": {"Trac": True}}},
        "hls_config['LayerType']['SparseDense'] has key 'Trac', which nothing reads; did you mean 'Trace'?",
    ),
    "value of a precision": (
        {"LayerName": {"classes": {"Precision": {"weigths": "fixed<8,1>"}}}},
        "hls_config['LayerName']['classes']['Precision'] has key 'weigths', which nothing reads; did you mean "
        "'weight'?",
    ),
    "value of the model's precision": (
        {"Model": {"Precision": {"defualt": "fixed<8,1>"}}},
        "hls_config['Model']['Precision'] has key 'defualt', which nothing reads; did you mean 'default'?",
    ),
    "key in small letters": (
        {"LayerName": {"hidden": {"trace": True}}},
        "hls_config['LayerName']['hidden'] has key 'trace', which nothing reads; did you mean 'Trace'?",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_nothing_reads_is_refused(case: str) -> None:
    changes, message = REFUSALS[case]
    with pytest.raises(UnsupportedError) as caught:
        settings(everything(), changes)
    assert str(caught.value) == message


@pytest.mark.filterwarnings("ignore::ese_hls.warnings.ConversionWarning:ese_hls")
def test_a_reuse_factor_is_a_warning() -> None:
    owners = {"Model": "hls_config['Model']", "LayerName": "hls_config['LayerName']['classes']"}
    model = fill(keras.Sequential([keras.Input((7,), name="x"), kl.Dense(3, name="classes")]))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        graph = convert(model, layers={"classes": {"ReuseFactor": 4}}, ReuseFactor=2)
    ours = [item.message for item in caught if isinstance(item.message, ConversionWarning)]
    expected = [
        f"{owners['LayerName']}['ReuseFactor'] is 4 and has no effect: hls_config['Model']['PEs'] sets how many "
        "multiplications run in parallel",
        f"{owners['Model']}['ReuseFactor'] is 2 and has no effect: hls_config['Model']['PEs'] sets how many "
        "multiplications run in parallel",
    ]
    assert [str(warning) for warning in ours] == expected
    assert [(warning.layer, warning.loss) for warning in ours] == [("classes", 0), ("", 0)]
    assert list(graph.ese_conversion.summary.warnings) == expected
    assert all(f"! {text}" in str(graph.ese_conversion) for text in expected)
    assert graph.ese_conversion.summary.to_json()["warnings"] == expected


def test_types_take_hls4ml_s_name_of_inputs() -> None:
    model = fill(keras.Sequential([keras.Input((7,), name="x"), kl.Dense(3, name="classes")]))
    changes = {"LayerType": {"InputLayer": {"Precision": {"result": "fixed<12,3>"}}}}
    port = settings(model, changes, "type").ese_conversion.inputs[0]
    assert str(port.format) == "fixed<12,3>"


def test_nearest() -> None:
    assert nearest("Pes", ["PEs", "Mode"]) == "did you mean 'PEs'?"
