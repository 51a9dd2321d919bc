# SPDX-License-Identifier: Apache-2.0
"""The plugin's registration, and the parts of hls4ml that it does not change."""

from __future__ import annotations

import sys

import hls4ml
import keras
import numpy as np
import pytest
from hls4ml.model.flow import get_flow
from hls4ml.model.optimizer import get_backend_passes
from keras import layers as kl

from ese_hls.backend import plugin
from ese_hls.backend.backend import FLOWS, ESEBackend
from ese_hls.frontend import parse
from support.keras_models.plugin_models import chain, classifier, convert, dense, fill, lstm

keras_v3_to_hls = sys.modules["hls4ml.converters.keras_v3_to_hls"]  # the package has a function of this name
PASSES = {name for _, names in FLOWS for name in names} | {"ese:write_project"}


def test_no_backend_is_requested_outside_of_a_conversion() -> None:
    assert parse.requested_backend() == "none"


def test_backend_is_available() -> None:
    assert "ese" in hls4ml.backends.get_available_backends()
    assert isinstance(hls4ml.backends.get_backend("ESE"), ESEBackend)


def test_register_calls_with_keywords_and_writer_first() -> None:
    """hls4ml calls again with positional arguments after any TypeError, and prints only the second error."""
    calls = []
    plugin.register(
        register_backend=lambda name, _: calls.append(("backend", name)),
        register_writer=lambda name, _: calls.append(("writer", name)),
    )
    assert calls == [("writer", "ESE"), ("backend", "ESE")]


def test_every_pass_is_registered_and_runs_in_a_flow() -> None:
    """hls4ml prints and skips a pass that fails to import."""
    assert set(get_backend_passes("ESE")) == PASSES
    listed = [name for flow, _ in FLOWS for name in get_flow(f"ese:{flow}").optimizers]
    assert set(listed) | {"ese:write_project"} == PASSES


def test_registering_twice_keeps_the_stock_function() -> None:
    before = hls4ml.converters.parse_keras_v3_model
    assert isinstance(before, parse.ParseForEse)
    parse.register()
    hls4ml.backends.get_backend("ESE")
    assert hls4ml.converters.parse_keras_v3_model is before is keras_v3_to_hls.parse_keras_v3_model
    assert not isinstance(before.stock, parse.ParseForEse)


def test_graph_has_sparse_nodes_and_nothing_of_the_stock_layers() -> None:
    graph = convert(classifier())
    assert [node.class_name for node in graph.get_layers()] == ["Input", "SparseLSTM", "SparseDense", "Activation"]
    assert [list(v.shape) for v in graph.get_output_variables()] == [[5]]


@pytest.mark.parametrize("strategy", ["ResourceUnrolled", "resource_unrolled", "Resource_Unrolled"])
def test_nodes_show_the_strategy_that_the_configuration_names(strategy: str) -> None:
    nodes = convert(fill(keras.Sequential([keras.Input((2,)), kl.Dense(3)])), Strategy=strategy).get_layers()
    assert {node.get_attr("strategy") for node in nodes} == {"resource_unrolled"}


def test_nodes_show_the_class_that_hls4ml_shows() -> None:
    layers = [
        kl.Dense(3), kl.Activation("elu"), kl.LeakyReLU(negative_slope=0.5), kl.ELU(), kl.PReLU(),
        kl.Activation("relu"), kl.Activation("softmax"),
    ]  # fmt: skip
    graph = convert(fill(keras.Sequential([keras.Input((2,)), *layers])))
    names = [node.attributes["class_name"] for node in graph.get_layers()]
    assert names == ["InputLayer", "Dense", "ELU", "LeakyReLU", "ELU", "PReLU", "Activation", "Softmax"]


def test_other_backends_read_as_if_the_plugin_were_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    model = fill(
        keras.Sequential([keras.Input((7,), name="x"), keras.layers.Dense(4, activation="relu", name="plain")])
    )

    def nodes() -> list[tuple[str, str]]:
        config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend="Vitis")
        graph = hls4ml.converters.convert_from_keras_model(
            model, backend="Vitis", hls_config=config, output_dir="unused"
        )
        return [(node.name, node.class_name) for node in graph.get_layers()]

    with_plugin = nodes()
    stock = hls4ml.converters.parse_keras_v3_model.stock
    monkeypatch.setattr(parse, "_install", lambda: None)
    for module in (hls4ml.converters, keras_v3_to_hls):
        monkeypatch.setattr(module, "parse_keras_v3_model", stock)
    assert with_plugin == nodes()
    assert "Dense" in dict(with_plugin).values()


def test_stock_backend_still_refuses_what_it_refused() -> None:
    with pytest.raises(Exception, match="Activation function for layer source is not a function"):
        hls4ml.utils.config_from_keras_model(classifier(), granularity="name", backend="Vitis")


@pytest.mark.parametrize("granularity", ["model", "type", "name"])
def test_config_of_every_granularity(granularity: str) -> None:
    model = classifier()
    config = hls4ml.utils.config_from_keras_model(model, granularity=granularity, backend="ESE")
    graph = hls4ml.converters.convert_from_keras_model(model, backend="ESE", hls_config=config, output_dir="unused")
    assert graph.ese_conversion.summary.exact


def test_conversion_leaves_the_working_directory_and_writes_nothing(tmp_path: pytest.TempPathFactory) -> None:
    from pathlib import Path

    before = Path.cwd()
    convert(classifier(), tmp_path / "out")  # type: ignore[operator]
    assert Path.cwd() == before
    assert not (tmp_path / "out").exists()  # type: ignore[operator]


def test_functional_model_and_variable_steps() -> None:
    model = chain(lstm(return_sequences=True), dense(), shape=(None, 7))
    conversion = convert(keras.Model(model.inputs, model.outputs)).ese_conversion
    assert conversion.steps == 0
    assert conversion.network.every_step


def test_trained_scale_of_qkeras_is_not_changed_by_conversion() -> None:
    model = classifier()
    x = np.random.default_rng(0).normal(size=(3, 6, 7))
    before = model.predict(x, verbose=0)
    convert(model)
    assert np.array_equal(before, model.predict(x, verbose=0))
