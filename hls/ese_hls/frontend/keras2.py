# SPDX-License-Identifier: Apache-2.0
"""The calls of a Keras 2 model in the order of computation."""

from __future__ import annotations

from typing import Any

from ese_hls.frontend.call import MASK, Call, Calls, CallTensor
from ese_host.errors import UnsupportedError


def calls_of(model: Any) -> Calls:
    """Read the calls of a Sequential or functional model; a model within it is one call.

    Each next call is the first one, in the order of the model's layers, whose inputs have been computed.

    Raises:
        UnsupportedError: if the model is subclassed or has not been built.
    """
    inside = {id(node) for nodes in getattr(model, "_nodes_by_depth", {}).values() for node in nodes}
    if not inside:
        raise UnsupportedError(
            f"model {model.name!r} has no graph of layers; Sequential and functional models that begin with an Input "
            "are allowed: begin the model with keras.Input"
        )
    first = [tensor._keras_history.layer for tensor in model.inputs]  # not in the layers of a Sequential model
    layers = first + [layer for layer in model.layers if layer not in first]
    waiting = [call for layer in layers for call in _calls(layer, inside)]
    computed, calls = set[str](), list[Call]()
    while waiting:
        call = next(call for call in waiting if all(tensor.name in computed for tensor in call.inputs))
        waiting.remove(call)
        calls.append(call)
        computed.update(tensor.name for tensor in call.outputs)
    return calls, [_tensor(tensor) for tensor in model.inputs], [_tensor(tensor) for tensor in model.outputs]


def _calls(layer: Any, inside: set[int]) -> list[Call]:
    """The calls of a layer within one model; `inside` has the `id()` of each Keras node of that model."""
    from tensorflow import nest

    calls = []
    for node in layer._inbound_nodes:
        if id(node) in inside:
            read, written = nest.flatten(node.keras_inputs), nest.flatten(node.outputs)
            inputs = () if node.is_input else tuple(map(_tensor, read))
            masks = [_name(tensor) for tensor in read if getattr(tensor, "_keras_mask", None) is not None]
            mask = CallTensor(f"{masks[0]}{MASK}", inputs[0].shape[:-1]) if masks else None
            args = nest.map_structure(_named, tuple(node.call_args))
            kwargs = nest.map_structure(_named, {k: v for k, v in node.call_kwargs.items() if k != "training"})
            calls.append(Call(layer, layer.name, inputs, tuple(map(_tensor, written)), mask, args, kwargs))
    return calls


def _named(item: Any) -> Any:
    return _tensor(item) if hasattr(item, "_keras_history") else item


def _tensor(tensor: Any) -> CallTensor:
    return CallTensor(_name(tensor), tuple(tensor.shape[1:]))


def _name(tensor: Any) -> str:
    """A unique name for each tensor; Keras 2's names may repeat."""
    layer, node, index = tensor._keras_history
    return f"{layer.name}:{node}:{index}"
