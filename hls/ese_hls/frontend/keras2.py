"""Keras 2 models to graph nodes, for this backend alone, by the readers that `frontend` uses for Keras 3.

hls4ml 1.3 reads a Keras 2 model from its JSON, a node a layer, by handlers that see neither the layer objects nor their
quantizers. So this module stands in for the function that does it, `parse_keras_model`: while this backend reads, it
walks the layer objects themselves; otherwise it calls hls4ml's own. The function does not exist yet when hls4ml loads
its plugins (hls4ml.converters is then half imported), so it is replaced when a backend is first asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from ese_hls.frontend.call import Call, CallTensor, Node
from ese_hls.frontend.keras3 import HANDLERS, requested_backend
from ese_hls.frontend.wrappers import nested
from ese_hls.keras_version import is_keras2
from ese_host.errors import UnsupportedError

Parsed = tuple[list[Node], list[str], list[str], Any]
READERS = {path.rsplit(".", 1)[-1]: read for path, read in HANDLERS.items() if read is not nested}
"""By the class's own name, since Keras 2 has its classes at other paths; no models within models."""


class ParseForEse:
    """`parse_keras_model`: ours while this backend reads, hls4ml's own otherwise."""

    def __init__(self, stock: Callable[[Any, Any], Any]) -> None:
        self.stock = stock

    def __call__(self, model_arch: Any, reader: Any) -> Any:
        """Nodes in the order of computation, names of input and output nodes, shapes of outputs."""
        if requested_backend() != "ese":
            return self.stock(model_arch, reader)
        model = getattr(reader, "model", None)
        if model is None:
            raise UnsupportedError(
                "the model comes as a file; backend ESE asks a model's own quantizers: load it, and pass the object to "
                "convert_from_keras_model"
            )
        return parse(model)


def parse(model: Any) -> Parsed:
    """A Keras 2 model's nodes, in the order in which hls4ml takes a Keras 3 model's: the first layer that is ready.

    Raises:
        UnsupportedError: a layer that this backend does not read, or a model that has not been built.
    """
    from hls4ml.converters.keras_v3_to_hls import UniqueName

    inside = {id(node) for nodes in getattr(model, "_nodes_by_depth", {}).values() for node in nodes}
    if not inside:
        raise UnsupportedError(
            f"model {model.name!r} has no graph of layers; Sequential and functional models with an Input are read: "
            "begin it with keras.Input"
        )
    first = [tensor._keras_history.layer for tensor in model.inputs]  # a Sequential model does not list its own
    layers = first + [layer for layer in model.layers if layer not in first]
    waiting = [call for layer in layers for call in _calls(layer, inside)]
    unique, made, nodes = UniqueName(), set[str](), list[Node]()
    while waiting:
        call = next(call for call in waiting if all(tensor.name in made for tensor in call.inputs))
        waiting.remove(call)
        for node in _reader(call)(call):
            node["name"] = unique(node["name"])
            nodes.append(node)
        made.update(tensor.name for tensor in call.outputs)
    provides = {name: node["name"] for node in nodes for name in node["output_keras_tensor_names"]}
    for node in nodes:
        node["inputs"] = [provides[name] for name in node["input_keras_tensor_names"]]
    ends = [[provides[_name(tensor)] for tensor in tensors] for tensors in (model.inputs, model.outputs)]
    return nodes, ends[0], ends[1], [list(tensor.shape) for tensor in model.outputs]


def _calls(layer: Any, inside: set[int]) -> list[Call]:
    """The calls of a layer within a model."""
    from tensorflow import nest

    calls = []
    for node in layer._inbound_nodes:
        if id(node) in inside:
            read, written = nest.flatten(node.keras_inputs), nest.flatten(node.outputs)
            own = () if node.is_input else tuple(map(_tensor, read))
            masked = any(getattr(tensor, "_keras_mask", None) is not None for tensor in read)
            calls.append(Call(layer, layer.name, own, tuple(map(_tensor, written)), masked))
    return calls


def _tensor(tensor: Any) -> CallTensor:
    return CallTensor(_name(tensor), tuple(tensor.shape[1:]))


def _name(tensor: Any) -> str:
    """A name of its own for each tensor; Keras 2's names may repeat."""
    layer, node, index = tensor._keras_history
    return f"{layer.name}:{node}:{index}"


def _reader(call: Call) -> Any:
    if call.kind not in READERS:
        raise call.refuse("has no place in the engine: replace the layer or leave it out")
    return READERS[call.kind]


def register() -> None:
    """Have `parse_keras_model` replaced when a backend is first asked for; nothing where Keras is not Keras 2."""
    if not is_keras2():
        return
    from hls4ml import backends

    stock = backends.get_backend
    if getattr(stock, "__module__", "") == __name__:
        return

    def get_backend(name: str) -> Any:
        """hls4ml's `get_backend`, after which it reads a model."""
        _install()
        return stock(name)

    backends.get_backend = get_backend


def _install() -> None:
    """Put our function where hls4ml looks for its own; a second time, it changes nothing."""
    module = sys.modules["hls4ml.converters.keras_v2_to_hls"]
    converters = sys.modules["hls4ml.converters"]
    if not isinstance(module.parse_keras_model, ParseForEse):
        module.parse_keras_model = converters.parse_keras_model = ParseForEse(module.parse_keras_model)  # type: ignore[attr-defined]
