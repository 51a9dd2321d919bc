"""The plugin's registration, and the parts of hls4ml that it does not change."""

from __future__ import annotations

import hls4ml
import keras
import numpy as np
import pytest
from hls4ml.converters.keras_v3 import layer_handlers
from hls4ml.model.flow import get_flow
from hls4ml.model.optimizer import get_backend_passes

from ese_hls.backend import plugin
from ese_hls.backend.backend import FLOWS, ESEBackend
from ese_hls.frontend import keras3
from support.plugin_models import chain, classifier, convert, dense, fill, lstm

PASSES = {name for _, names in FLOWS for name in names} | {"ese:write_project"}


def test_no_backend_is_requested_outside_of_a_conversion() -> None:
    assert keras3.requested_backend() == "none"


def test_backend_is_available() -> None:
    assert "ese" in hls4ml.backends.get_available_backends()
    assert isinstance(hls4ml.backends.get_backend("ESE"), ESEBackend)


def test_register_calls_with_keywords_and_writer_first() -> None:
    calls = []
    plugin.register(
        register_backend=lambda name, _: calls.append(("backend", name)),
        register_writer=lambda name, _: calls.append(("writer", name)),
    )
    assert calls == [("writer", "ESE"), ("backend", "ESE")]


def test_every_pass_is_registered_and_runs_in_a_flow() -> None:
    assert set(get_backend_passes("ESE")) == PASSES
    listed = [name for flow, _ in FLOWS for name in get_flow(f"ese:{flow}").optimizers]
    assert set(listed) | {"ese:write_project"} == PASSES


def test_handlers_registered_twice_keep_the_stock_handler() -> None:
    before = dict(layer_handlers)
    keras3.register()
    assert dict(layer_handlers) == before
    assert not any(
        isinstance(handler.stock, keras3.OnlyForEse) for handler in before.values() if hasattr(handler, "stock")
    )


def test_graph_has_sparse_nodes_and_nothing_of_the_stock_layers() -> None:
    graph = convert(classifier())
    assert [node.class_name for node in graph.get_layers()] == ["Input", "SparseLSTM", "SparseDense", "Activation"]
    assert [list(v.shape) for v in graph.get_output_variables()] == [[5]]


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
    for key, handler in list(layer_handlers.items()):
        if isinstance(handler, keras3.OnlyForEse):
            if handler.stock is None:
                monkeypatch.delitem(layer_handlers, key)
            else:
                monkeypatch.setitem(layer_handlers, key, handler.stock)
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
