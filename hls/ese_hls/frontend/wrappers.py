"""Layers around layers: TimeDistributed, and models within models."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hls4ml.converters.keras_v3 import layer_handlers

from ese_hls.frontend.call import Call, CallTensor, Node


def time_distributed(call: Call) -> tuple[Node, ...]:
    """The wrapped layer itself: what the engine runs, it runs at every step."""
    inner = call.layer.layer
    read = _reader(inner)
    if read is None or type(inner).__name__ not in ("Dense", "QDense", "Activation", "QActivation", "ReLU", "Dropout"):
        raise call.refuse(
            f"wraps {type(inner).__name__}; Dense, QDense, Activation, QActivation, ReLU and Dropout are allowed: use "
            "one of them"
        )
    nodes: tuple[Node, ...] = read(replace(call, layer=inner))
    return nodes


def nested(call: Call) -> tuple[Node, ...]:
    """A model called as a layer: the nodes of its own layers, named `model_layer`."""
    model = getattr(call.layer, "_functional", None) or call.layer
    if call.masked:
        raise call.refuse(
            "is a model that gets a mask from outside; masks are followed within one model: put Masking into it, or "
            "its layers into the outer model"
        )
    if not hasattr(model, "_nodes_by_depth"):
        raise call.refuse("is a model with a call of its own; Sequential and functional models are allowed: use one")
    names: dict[str, CallTensor] = dict(zip((t.name for t in model.inputs), call.inputs, strict=True))
    names |= dict(zip((t.name for t in model.outputs), call.outputs, strict=True))

    def outside(tensor: Any) -> CallTensor:
        own = CallTensor(f"{call.outputs[0].name}_{tensor.name}", tuple(tensor.shape[1:]))
        return names.get(tensor.name, own)

    nodes: list[Node] = []
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            layer = node.operation
            if not node.arguments.keras_tensors:
                continue  # its input layers: the tensors outside take their place
            read = _reader(layer)
            name = f"{call.name}_{layer.name}"
            if read is None:
                raise call.refuse(
                    f"holds layer {layer.name!r} ({type(layer).__name__}), which has no place in the engine: replace "
                    "the layer or leave it out"
                )
            masked = node.arguments.kwargs.get("mask") is not None
            tensors = [tensor for tensor in node.arguments.keras_tensors if not _is_mask(node, tensor)]
            inputs, outputs = tuple(map(outside, tensors)), tuple(map(outside, node.outputs))
            nodes += read(Call(layer, name, inputs, outputs, masked))
    return tuple(nodes)


def _is_mask(node: Any, tensor: Any) -> bool:
    return tensor is node.arguments.kwargs.get("mask")


def _reader(layer: Any) -> Any:
    """This backend's reader of a layer; None where it has none."""
    kind = type(layer)
    handler = layer_handlers.get(f"{kind.__module__}.{kind.__name__}") or layer_handlers.get(kind.__name__)
    return getattr(handler, "read", None)
