"""The last passes: refuse by name what is left unmapped, then turn the graph into integers."""

from __future__ import annotations

from typing import Any

from hls4ml.model.layers import Activation, Input
from hls4ml.model.optimizer import ModelOptimizerPass

from ese_hls.frontend import MAPPED
from ese_hls.graph.nodes import HostStep, SparseLSTM, SparseNode
from ese_hls.lower import options_from
from ese_host.errors import UnsupportedError

THRESHOLDS = {"DeltaInput": "delta_input", "DeltaState": "delta_state"}
"""Keys of an LSTM layer's configuration: the change beyond which an input or a fed-back output takes part in a step."""
OWN_VECTORS = {"InputData": "input_data_tb", "OutputPredictions": "output_data_tb"}
"""Keys of hls4ml's configuration for data of the user's test bench, and the arguments that set them."""


class RefuseUnmapped(ModelOptimizerPass):  # type: ignore[misc]
    """Nothing is dropped and nothing becomes dense in silence: what nothing here computes is refused by name."""

    def __init__(self) -> None:
        self.name = "refuse_unmapped"

    def transform(self, model: Any) -> bool:
        """Check that every node has a place, on the engine or on the host.

        Raises:
            UnsupportedError: a layer is left that neither runs.
        """
        for node in model.graph.values():
            if not isinstance(node, (Input, SparseNode, HostStep)) and not _is_activation(node):
                kind = node.get_attr("keras_class") or node.get_attr("class_name") or node.class_name
                raise UnsupportedError(
                    f"layer {node.name!r} ({kind}) has no place in the engine; it runs {MAPPED}: replace the layer or "
                    "leave it out"
                )
        return True


def _is_activation(node: Any) -> bool:
    """Whether this backend's own reader made an activation node: hls4ml's fallbacks note no `extents`."""
    return isinstance(node, Activation) and node.get_attr("extents") is not None


class ToProgram(ModelOptimizerPass):  # type: ignore[misc]
    """Convert the mapped graph; the result is kept at the model as `ese_conversion`."""

    def __init__(self) -> None:
        self.name = "to_program"

    def transform(self, model: Any) -> bool:
        """Convert.

        Raises:
            UnsupportedError: see `ese_hls.lower.convert.convert`. CapacityError: no engine holds the model.
        """
        from ese_hls.lower.convert import convert  # not above: it imports hls4ml, which loads this module

        config = model.config.config
        for key, argument in OWN_VECTORS.items():
            if config.get(key) is not None:
                raise UnsupportedError(
                    f"{argument} is {config[key]!r}; the test bench has vectors of its own, with the golden model's "
                    "answers: leave it out"
                )
        options = options_from(config["HLSConfig"].get("Model") or {}, config.get("ESE") or {})
        _read_layer_config(model)
        nodes = list(model.graph.values())
        model.ese_conversion = convert(nodes, list(model.inputs), list(model.outputs), options)
        _ = model.ese_conversion.mapping  # what does not fit an engine is refused here, before anything is written
        return True


def _read_layer_config(model: Any) -> None:
    """Take LSTM thresholds from the configuration of layers, and refuse what is not meant for this backend."""
    for name, settings in (model.config.config["HLSConfig"].get("LayerName") or {}).items():
        for key, attribute in THRESHOLDS.items():
            if settings.get(key) is not None:
                _set_threshold(model, name, key, attribute, settings[key])
        if settings.get("ReuseFactor", 1) != 1:
            raise UnsupportedError(
                f"hls_config['LayerName'][{name!r}]['ReuseFactor'] is {settings['ReuseFactor']}; parallelism is set by "
                "'PEs' of the whole model here: leave ReuseFactor at 1"
            )


def _set_threshold(model: Any, name: str, key: str, attribute: str, value: Any) -> None:
    """Note an LSTM's delta threshold at its node."""
    node = model.graph.get(name)
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
    if not isinstance(node, SparseLSTM) or not number:
        raise UnsupportedError(
            f"hls_config['LayerName'][{name!r}][{key!r}] is {value!r}; an LSTM layer may have a threshold of zero or "
            "more, in units of the values themselves: correct or remove it"
        )
    node.set_attr(attribute, float(value))
