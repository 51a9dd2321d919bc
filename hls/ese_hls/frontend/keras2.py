"""Keras 2 models to graph nodes, for this backend only, with the readers that are used for Keras 3.

hls4ml 1.3 reads a Keras 2 model from its JSON, one node per layer, with handlers that see neither the layer objects nor
their quantizers. This module therefore replaces the function that reads the JSON, `parse_keras_model`. If a model is
read for this backend, the replacement walks the layer objects; otherwise it calls hls4ml's function. That function does
not exist yet when hls4ml loads its plugins (hls4ml.converters is only half imported then), so it is replaced when
`hls4ml.backends.get_backend` is first called.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from ese_hls.frontend.call import Call, CallTensor, Node
from ese_hls.frontend.keras3 import HANDLERS, refuse, requested_backend
from ese_hls.frontend.wrappers import nested
from ese_hls.keras_version import is_keras2
from ese_host.errors import UnsupportedError

Parsed = tuple[list[Node], list[str], list[str], Any]
READERS = {path.rsplit(".", 1)[-1]: read for path, read in HANDLERS.items() if read is not nested}
"""Readers by class name without module, since Keras 2 has other modules; models within models are not read."""


class ParseForEse:
    """A replacement of `parse_keras_model` that reads models for this backend, and calls hls4ml's for all others."""

    def __init__(self, stock: Callable[[Any, Any], Any]) -> None:
        self.stock = stock

    def __call__(self, model_arch: Any, reader: Any) -> Any:
        """Read a model: nodes in the order of computation, names of input and output nodes, shapes of outputs.

        Raises:
            UnsupportedError: if the model is given as a file, or cannot be read (see `parse`).
        """
        if requested_backend() != "ese":
            return self.stock(model_arch, reader)
        model = getattr(reader, "model", None)
        if model is None:
            raise UnsupportedError(
                "the model is given as a file; backend ESE needs the model object, since it calls the model's "
                "quantizers: load the file, and pass the model to convert_from_keras_model"
            )
        return parse(model)


def parse(model: Any) -> Parsed:
    """Read a Keras 2 model: nodes, names of input and output nodes, shapes of outputs.

    As in hls4ml's reading of a Keras 3 model, the next call to be read is always the first one, in the order of the
    model's layers, whose inputs have been computed.

    Raises:
        UnsupportedError: if this backend does not read one of the layers, or the model has not been built.
    """
    from hls4ml.converters.keras_v3_to_hls import UniqueName

    inside = {id(node) for nodes in getattr(model, "_nodes_by_depth", {}).values() for node in nodes}
    if not inside:
        raise UnsupportedError(
            f"model {model.name!r} has no graph of layers; Sequential and functional models that begin with an Input "
            "are allowed: begin the model with keras.Input"
        )
    first = [tensor._keras_history.layer for tensor in model.inputs]  # not in the layers of a Sequential model
    layers = first + [layer for layer in model.layers if layer not in first]
    waiting = [call for layer in layers for call in _calls(layer, inside)]
    unique, computed, nodes = UniqueName(), set[str](), list[Node]()
    while waiting:
        call = next(call for call in waiting if all(tensor.name in computed for tensor in call.inputs))
        waiting.remove(call)
        for node in _reader(call)(call):
            node["name"] = unique(node["name"])
            nodes.append(node)
        computed.update(tensor.name for tensor in call.outputs)
    provides = {name: node["name"] for node in nodes for name in node["output_keras_tensor_names"]}
    for node in nodes:
        node["inputs"] = [provides[name] for name in node["input_keras_tensor_names"]]
    ends = [[provides[_name(tensor)] for tensor in tensors] for tensors in (model.inputs, model.outputs)]
    return nodes, ends[0], ends[1], [list(tensor.shape) for tensor in model.outputs]


def _calls(layer: Any, inside: set[int]) -> list[Call]:
    """The calls of a layer within one model; `inside` has the `id()` of each Keras node of that model."""
    from tensorflow import nest

    calls = []
    for node in layer._inbound_nodes:
        if id(node) in inside:
            read, written = nest.flatten(node.keras_inputs), nest.flatten(node.outputs)
            inputs = () if node.is_input else tuple(map(_tensor, read))
            masked = any(getattr(tensor, "_keras_mask", None) is not None for tensor in read)
            calls.append(Call(layer, layer.name, inputs, tuple(map(_tensor, written)), masked))
    return calls


def _tensor(tensor: Any) -> CallTensor:
    return CallTensor(_name(tensor), tuple(tensor.shape[1:]))


def _name(tensor: Any) -> str:
    """A unique name for each tensor; Keras 2's names may repeat."""
    layer, node, index = tensor._keras_history
    return f"{layer.name}:{node}:{index}"


def _reader(call: Call) -> Any:
    """The reader of a call's layer; a layer without one is refused."""
    return READERS.get(call.kind, refuse)


def register() -> None:
    """Have `parse_keras_model` replaced when hls4ml first looks up a backend; does nothing unless Keras is Keras 2."""
    if not is_keras2():
        return
    from hls4ml import backends

    stock = backends.get_backend
    if getattr(stock, "__module__", "") == __name__:
        return

    def get_backend(name: str) -> Any:
        """hls4ml's `get_backend`, which it calls before it reads a model."""
        _install()
        return stock(name)

    backends.get_backend = get_backend


def _install() -> None:
    """Put our function in place of hls4ml's; a second call changes nothing."""
    module = sys.modules["hls4ml.converters.keras_v2_to_hls"]
    converters = sys.modules["hls4ml.converters"]
    if not isinstance(module.parse_keras_model, ParseForEse):
        module.parse_keras_model = converters.parse_keras_model = ParseForEse(module.parse_keras_model)  # type: ignore[attr-defined]
