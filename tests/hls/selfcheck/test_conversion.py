# SPDX-License-Identifier: Apache-2.0
"""The self-check as users meet it: its place in the summary, its samples, and how it is turned off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import hls4ml
import keras
import numpy as np
import pytest
from keras import layers

from ese_hls.warnings import ConversionWarning
from ese_host.bundle import Folder
from ese_host.errors import MismatchError, UnsupportedError
from support.keras_models.plugin_models import fill


def model() -> Any:
    return fill(keras.Sequential([keras.Input((6, 4)), layers.LSTM(5, name="cells"), layers.Dense(3, name="classes")]))


def convert(built: Any, out: Path, settings: dict[str, Any] | None = None, **arguments: Any) -> Any:
    config = {"Model": {"PEs": 2, **(settings or {})}}
    return hls4ml.converters.convert_from_keras_model(
        built, hls_config=config, backend="ESE", output_dir=str(out), **arguments
    )


def test_the_summary_lists_what_was_compared(tmp_path: Path) -> None:
    graph = convert(model(), tmp_path)
    checked = graph.ese_conversion.summary.checked
    assert [item.layer for item in checked] == ["layer 'cells' (LSTM)", "layer 'classes' (Dense)"]
    assert all(0 < item.difference <= item.explained < 0.01 for item in checked)
    assert "self-check: Keras and the converted model" in str(graph)
    assert "agree on 32 samples" in str(graph)


def test_the_number_of_samples_is_an_option(tmp_path: Path) -> None:
    assert "agree on 5 samples" in str(convert(model(), tmp_path, {"SelfCheck": 5}))
    with pytest.raises(UnsupportedError, match=r"self_check .*'SelfCheck'.* is -1"):
        convert(model(), tmp_path, {"SelfCheck": -1})


def test_samples_of_the_user_are_taken(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).uniform(0, 0.5, (7, 6, 4)).astype(np.float32)
    graph = convert(model(), tmp_path, calibration=samples)
    assert "agree on 7 samples" in str(graph)
    assert graph.ese_conversion.inputs[0].format.high < 1.01 * 2**15
    assert graph.ese_conversion.inputs[0].format.integer == 1  # twice the samples' range, and the sign


def test_random_numbers_of_an_embedding_alone_have_rows() -> None:
    x = keras.Input((100,), name="x")
    model = fill(keras.Model(x, layers.Embedding(13, 8, name="rows")(x)))
    config = {"Model": {}, "LayerName": {"x": {"Precision": {"result": "ap_uint<4>"}}}}
    graph = hls4ml.converters.convert_from_keras_model(model, backend="ESE", output_dir="unused", hls_config=config)
    assert graph.ese_samples["x"].max() == 12


def test_turning_it_off_is_a_warning_everywhere(tmp_path: Path) -> None:
    with pytest.warns(ConversionWarning, match="without self-check: leave hls_config") as warnings:
        graph = convert(model(), tmp_path / "project", {"SelfCheck": 0})
    assert any(isinstance(item.message, ConversionWarning) and "SelfCheck" in item.message.key for item in warnings)
    graph.build(emulated=True, design=tmp_path / "design")
    told = [text for text in Folder.open(tmp_path / "design").manifest.warnings if "self-check" in text]
    described = json.loads((tmp_path / "project" / "design.json").read_text())["summary"]["warnings"]
    assert len(told) == 1 and told[0] in described and f"! {told[0]}" in str(graph)


def test_a_function_that_is_changed_after_reading_is_found(tmp_path: Path) -> None:
    built = model()
    dense = built.get_layer("classes")
    dense.call = lambda x: keras.ops.matmul(x, dense.kernel) * 1.001
    with pytest.raises(MismatchError, match=r"layer 'classes' .Dense.: at sample .* Keras computes"):
        convert(built, tmp_path)
