"""Readers of layers that contain layers: TimeDistributed, and models within models."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hls4ml.converters.keras_v3 import layer_handlers

from ese_hls.frontend.call import MAPPED, Call, CallTensor, Node


def time_distributed(call: Call) -> tuple[Node, ...]:
    """Read TimeDistributed as the layer that it wraps: engine and host apply these layers at every step anyway.

    Raises:
        UnsupportedError: if the wrapped layer is not among those that may be applied at every step.
    """
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
    """Read a model that is called as a layer: the nodes of its layers, each named `<model>_<layer>`.

    Raises:
        UnsupportedError: if the model gets a mask, is a subclassed model, or has a layer that is not mapped.
    """
    model = getattr(call.layer, "_functional", None) or call.layer
    if call.masked:
        raise call.refuse(
            "is a model that gets a mask from the outer model; masks are allowed only within one model: put the "
            "Masking layer into the inner model, or the inner model's layers into the outer model"
        )
    if not hasattr(model, "_nodes_by_depth"):
        raise call.refuse(
            "is a subclassed model, which defines call() itself; Sequential and functional models are allowed: build "
            "it as one of them"
        )
    outer: dict[str, CallTensor] = dict(zip((t.name for t in model.inputs), call.inputs, strict=True))
    outer |= dict(zip((t.name for t in model.outputs), call.outputs, strict=True))

    def outer_tensor(tensor: Any) -> CallTensor:
        """A tensor of the inner model under its name in the outer model."""
        inner = CallTensor(f"{call.outputs[0].name}_{tensor.name}", tuple(tensor.shape[1:]))
        return outer.get(tensor.name, inner)

    nodes: list[Node] = []
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            layer = node.operation
            if not node.arguments.keras_tensors:
                continue  # an input layer: a tensor of the outer model takes its place
            read = _reader(layer)
            name = f"{call.name}_{layer.name}"
            if read is None:
                raise call.refuse(
                    f"contains layer {layer.name!r} ({type(layer).__name__}), which has no place in the engine; it "
                    f"runs {MAPPED}: replace the layer or leave it out"
                )
            mask = node.arguments.kwargs.get("mask")
            tensors = [tensor for tensor in node.arguments.keras_tensors if tensor is not mask]
            inputs, outputs = tuple(map(outer_tensor, tensors)), tuple(map(outer_tensor, node.outputs))
            nodes += read(Call(layer, name, inputs, outputs, masked=mask is not None))
    return tuple(nodes)


def _reader(layer: Any) -> Any:
    """This backend's reader of a layer, or None if there is none."""
    kind = type(layer)
    handler = layer_handlers.get(f"{kind.__module__}.{kind.__name__}") or layer_handlers.get(kind.__name__)
    return getattr(handler, "read", None)
