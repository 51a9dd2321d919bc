# SPDX-License-Identifier: Apache-2.0
"""Skip mode through hls4ml: the mode of a model, the thresholds of a layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ese_hls.build import build_emulated
from ese_hls.project.project import Project
from ese_host.errors import UnsupportedError
from ese_host.image import SUM_FRAC
from ese_host.ir import golden
from ese_host.runtime import Accelerator
from support.keras_models.plugin_models import chain, classifier, convert, dense, gru, inputs


def predictions(graph: Any, x: Any) -> Any:
    """The golden model's predictions as probabilities."""
    network = graph.ese_conversion.network
    result = golden.run(network, network.source.from_float(x))
    values = np.ldexp(result.outputs[:, -1].astype(np.float64), -result.frac)
    exponentials = np.exp(values - values.max(axis=1, keepdims=True))
    return (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32)


def test_a_delta_network_is_compiled_and_runs(tmp_path: Path) -> None:
    """A delta network in skip mode compiles, and predicts exactly as the golden model."""
    model, thresholds = classifier(), {"DeltaInput": 0.3, "DeltaState": 0.1}
    graph = convert(model, tmp_path / "out", {"lstm": thresholds}, PEs=3, Mode="skip", FifoDepth=4)
    graph.compile()
    design = Project.open(tmp_path / "out").design
    assert (design.mode, design.fifo_depth) == ("skip", 4)
    layer = graph.ese_conversion.network.layers[0]
    # the formats have 8 bits, of which 3 and 2 are integer with the sign: 0.3 is 9.6 codes, 0.1 is 6.4
    assert (layer.source.frac, layer.delta_input, layer.state.frac, layer.delta_state) == (5, 9, 6, 6)
    x = inputs(model, samples=40)
    np.testing.assert_array_equal(graph.predict(x), predictions(graph, x))
    assert (graph.predict(x) != model.predict(x, verbose=0)).any()


@pytest.mark.slow
def test_a_delta_gru_is_compiled_and_runs(tmp_path: Path) -> None:
    model = chain(gru(reset_after=True), dense(), keras.layers.Softmax(name="softmax"))
    graph = convert(model, tmp_path / "out", {"gru": {"DeltaInput": 0.3, "DeltaState": 0.1}}, PEs=3, Mode="skip")
    graph.compile()
    layer = graph.ese_conversion.network.layers[0]
    assert (layer.delta_input, layer.delta_state) == (9, 6)
    x = inputs(model, samples=40)
    np.testing.assert_array_equal(graph.predict(x), predictions(graph, x))
    assert (graph.predict(x) != model.predict(x, verbose=0)).any()


def test_thresholds_of_a_gru_that_resets_before_are_refused() -> None:
    message = (
        r"^hls_config\['LayerName'\]\['gru'\]\['DeltaState'\] is 0.1, and the layer is a GRU with reset_after=False, "
        r"whose r \* h would need .*; a GRU with reset_after=True may have thresholds: build the layer so, or remove "
    )
    with pytest.raises(UnsupportedError, match=message):
        convert(chain(gru()), layers={"gru": {"DeltaState": 0.1}}, Mode="skip")


@pytest.mark.slow
def test_a_delta_network_runs_in_rtl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the model to an emulated board whose engine is simulated clock by clock, bit for bit."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model, thresholds = classifier(), {"DeltaInput": 0.3, "DeltaState": 0.1}
    graph = convert(model, tmp_path / "out", {"lstm": thresholds}, PEs=3, Mode="skip", Flow="rtl")
    graph.write()
    build_emulated(tmp_path / "out", tmp_path / "bits")
    with Accelerator(tmp_path / "bits", driver="adapter") as engine:
        network = graph.ese_conversion.network
        codes = network.source.from_float(inputs(model, samples=20))
        wanted = golden.run(network, codes)
        np.testing.assert_array_equal(engine.run(codes).outputs, wanted.outputs << (SUM_FRAC - wanted.frac))


def test_thresholds_need_skip_mode_and_an_lstm() -> None:
    message = r"'LayerName'\]\['{}'\]\['DeltaInput'\] is {}; an LSTM or GRU layer may have a threshold of zero"
    for name, value in (("dense", 0.5), ("lstm", -1), ("lstm", "much")):
        with pytest.raises(UnsupportedError, match=message.format(name, repr(value))):
            convert(classifier(), layers={name: {"DeltaInput": value}}, Mode="skip")
    with pytest.raises(UnsupportedError, match=r"layer 'lstm' has delta thresholds; stream mode .* use mode 'skip'"):
        convert(classifier(), layers={"lstm": {"DeltaInput": 0.5}})
