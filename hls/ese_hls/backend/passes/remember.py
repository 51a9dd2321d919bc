"""The pass that notes the model's layers before any is absorbed, so that `trace` can answer by their names."""

from __future__ import annotations

from typing import Any

from hls4ml.model.layers import Activation, Input
from hls4ml.model.optimizer import ModelOptimizerPass

from ese_hls.emulate import KerasLayer, Kind
from ese_hls.quantize import is_format


class RememberLayers(ModelOptimizerPass):  # type: ignore[misc]
    """Note every layer at the model as `ese_layers`, and give the model this backend's `trace` and `str`."""

    def __init__(self) -> None:
        self.name = "remember_layers"

    def transform(self, model: Any) -> bool:
        """Note them, in the order of the graph."""
        from ese_hls.graph.model_graph import (
            EseGraph,  # hls4ml loads backends while its module of graphs is half imported
        )

        owner = {output: node.name for node in model.graph.values() for output in node.outputs}
        model.ese_layers = tuple(
            KerasLayer(
                node.name,
                _kind(node),
                () if isinstance(node, Input) else tuple(owner[name] for name in node.inputs),
                node.get_attr("function"),
                str(node.get_attr("keras_class") or node.class_name),
                tuple(node.get_attr("extents") or ()),
            )
            for node in model.graph.values()
        )
        model.__class__ = EseGraph
        return True


def _kind(node: Any) -> Kind:
    if isinstance(node, Input):
        return "input"
    if not isinstance(node, Activation):
        return "reverse" if node.get_attr("operation") == "reverse" else "other"
    activation = node.get_attr("activation")
    if activation in ("linear", "relu", "softmax"):
        return activation  # type: ignore[no-any-return]
    return "format" if is_format(node.get_attr("function")) else "other"
