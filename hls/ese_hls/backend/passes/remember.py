"""The pass that records the model's layers before any is absorbed, so that `trace` can return values by their names."""

from __future__ import annotations

from typing import Any

from hls4ml.model.layers import Activation, Input
from hls4ml.model.optimizer import ModelOptimizerPass

from ese_hls.emulate import KerasLayer, Kind
from ese_hls.quantize import is_format


class RememberLayers(ModelOptimizerPass):  # type: ignore[misc]
    """Records every layer in the model's attribute `ese_layers`, and makes the model an `EseGraph`."""

    def __init__(self) -> None:
        self.name = "remember_layers"

    def transform(self, model: Any) -> bool:
        """Record the layers in the order of the graph."""
        from ese_hls.graph.model_graph import (
            EseGraph,  # not at the top: hls4ml loads backends while its module of graphs is half imported
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
