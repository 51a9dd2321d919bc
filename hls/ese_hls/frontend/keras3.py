# SPDX-License-Identifier: Apache-2.0
"""The calls of a Keras 3 model in the order of computation, models within models in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ese_hls.frontend.call import Call, Calls, CallTensor, is_known
from ese_host.errors import UnsupportedError

MERGES_OF_MASKED = ("Multiply", "Maximum", "Minimum")
"""Layers in which Keras 3 leaves masked values out of the result."""


def calls_of(model: Any) -> Calls:
    """Read the calls of a Sequential or functional model.

    Each next call is the first one, in the order of the model's operations, whose inputs have been computed.

    Raises:
        UnsupportedError: if the model, or one within it, is subclassed or has not been built.
    """
    from keras import Model

    graph = _graph(model, f"model {model.name!r}")
    walk = _Walk()
    if any(isinstance(operation, Model) for operation in graph.operations):
        stands = [walk.stand_in(tensor, tensor.name) for tensor in graph.inputs]
        for tensor, stand in zip(graph.inputs, stands, strict=True):
            layer = tensor._keras_history.operation
            walk.add(layer, layer.name, (), {}, [stand])
        outputs = walk.run(graph, "", stands)
        return walk.calls, [walk.tensor(stand) for stand in stands], [walk.tensor(output) for output in outputs]
    inside = {id(node) for nodes in graph._nodes_by_depth.values() for node in nodes}
    waiting = [node for operation in graph.operations for node in operation._inbound_nodes if id(node) in inside]
    while waiting:
        node = next(node for node in waiting if walk.known.issuperset(map(id, node.arguments.keras_tensors)))
        waiting.remove(node)
        walk.add(node.operation, node.operation.name, node.arguments.args, node.arguments.kwargs, node.outputs)
    return walk.calls, [walk.tensor(tensor) for tensor in graph.inputs], [walk.tensor(t) for t in graph.outputs]


def _graph(model: Any, where: str) -> Any:
    """The functional model that a model is; `where` names it in messages."""
    from keras import Sequential

    graph = getattr(model, "_functional", None) if isinstance(model, Sequential) else model
    if graph is None:
        raise UnsupportedError(
            f"{where} has not been built; Sequential and functional models that begin with an Input are allowed: begin "
            "the model with keras.Input"
        )
    own = next(kind for kind in type(model).__mro__ if "call" in vars(kind))
    if not hasattr(graph, "_nodes_by_depth") or not is_known(own):
        raise UnsupportedError(
            f"{where} is a subclassed model, which defines call() itself; Sequential and functional models are "
            "allowed: build it as one of them"
        )
    return graph


class _Walk:
    """The calls that have been read, in the order of computation.

    Attributes:
        calls: the calls.
        known: the `id()` of each tensor that they compute.
        names: by `id()`, the names of tensors that are made while reading.
        kept: these tensors, so that no other object gets the `id()` of one.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.known: set[int] = set()
        self.names: dict[int, str] = {}
        self.kept: list[Any] = []

    def tensor(self, tensor: Any) -> CallTensor:
        """A Keras tensor under its name in the walk."""
        return CallTensor(self.names.get(id(tensor), tensor.name), tuple(tensor.shape[1:]))

    def stand_in(self, tensor: Any, name: str | None = None) -> Any:
        """A tensor of the same shape without a history; its name is the same whenever the model is read."""
        from keras import KerasTensor

        copy = KerasTensor(tensor.shape, dtype=tensor.dtype)
        self.kept.append(copy)
        self.names[id(copy)] = name or f"{self.calls[0].outputs[0].name}_{len(self.kept)}"
        return copy

    def add(self, layer: Any, name: str, args: Any, kwargs: Any, outputs: list[Any]) -> None:
        """Add a call of a layer or operation.

        Args:
            layer: the layer or operation.
            name: its name in the outer model.
            args: its positional arguments; `args` and `kwargs` hold Keras tensors.
            kwargs: its keyword arguments.
            outputs: the Keras tensors that it computes.
        """
        from keras import KerasTensor, Layer, tree

        kwargs = {key: value for key, value in kwargs.items() if key != "training"}  # `predict` sets it to False
        if kwargs.get("mask") is None and args and isinstance(layer, Layer) and layer._call_has_mask_arg:
            # Keras does not record the mask that it passes on if it converts an argument of the call
            mask = getattr(args[0], "_keras_mask", None)
            kwargs = kwargs if mask is None else {**kwargs, "mask": mask}
        mask = kwargs.get("mask")
        if isinstance(mask, KerasTensor):
            self._add_makers(mask)

        def named(item: Any) -> Any:
            return self.tensor(item) if isinstance(item, KerasTensor) else item

        read = [item for item in tree.flatten((args, {**kwargs, "mask": None})) if isinstance(item, KerasTensor)]
        merges = isinstance(layer, Layer) and type(layer).__name__ in MERGES_OF_MASKED
        masks = [getattr(item, "_keras_mask", None) for item in read] if merges else []
        for item in masks:
            if item is not None:
                self._add_makers(item)
        self.known.update(map(id, outputs))
        self.calls.append(
            Call(
                layer,
                name,
                tuple(map(self.tensor, read)),
                tuple(map(self.tensor, outputs)),
                named(mask),
                tree.map_structure(named, tuple(args)),
                tree.map_structure(named, kwargs),
                tuple(map(named, masks)),
            )
        )

    def _add_makers(self, tensor: Any) -> None:
        """Add the operations that compute a mask and are not part of the model's graph."""
        if id(tensor) in self.known:
            return
        operation, index, _ = tensor._keras_history
        node = operation._inbound_nodes[index]
        for source in node.arguments.keras_tensors:
            self._add_makers(source)
        for output in node.outputs:
            self.kept.append(output)
            self.names[id(output)] = f"{self.calls[0].outputs[0].name}_{len(self.kept)}"
        self.add(operation, f"mask_{len(self.kept)}", node.arguments.args, node.arguments.kwargs, node.outputs)

    def run(self, graph: Any, prefix: str, inputs: list[Any]) -> list[Any]:
        """Add the calls of a model whose inputs are tensors without history, and return its outputs.

        Keras decides which masks pass into a model and out of it while it runs the model. So the layers are called
        again here, on tensors without history, and forget these calls.

        Args:
            graph: the functional model.
            prefix: what the names of its calls begin with; models within it are named `<model>_<layer>`.
            inputs: its inputs, with their masks.

        Raises:
            UnsupportedError: if a model within it is subclassed, or gets tensors of other shapes than it was built for.
        """
        from keras import Model, tree

        def recorded(operation: Any) -> Callable[..., Any]:
            def call(*args: Any, **kwargs: Any) -> Any:
                if isinstance(operation, Model):
                    return self._inner(operation, prefix, args[0], kwargs.get("mask"))
                results = operation(*args, **kwargs)
                node, copies = operation._inbound_nodes.pop(), []
                for result in tree.flatten(results):
                    copies.append(self.stand_in(result))
                    mask = getattr(result, "_keras_mask", None)
                    if mask is not None:
                        self._add_makers(mask)
                        copies[-1]._keras_mask = mask
                self.add(operation, prefix + operation.name, node.arguments.args, node.arguments.kwargs, copies)
                return tree.pack_sequence_as(results, copies)

            return call

        outputs: list[Any] = tree.flatten(graph._run_through_graph(inputs, operation_fn=recorded))
        return outputs

    def _inner(self, model: Any, prefix: str, inputs: Any, mask: Any) -> Any:
        """Add the calls of a model that is called as a layer, and return its outputs.

        Args:
            model: the called model.
            prefix: what its own name begins with.
            inputs: the tensors that it is called with.
            mask: the masks that it is called with, or None.

        Raises:
            UnsupportedError: if the model cannot be read.
        """
        from keras import tree

        where = f"layer {prefix + model.name!r} ({type(model).__name__})"
        graph = _graph(model, where)
        if isinstance(inputs, dict):
            struct = graph._inputs_struct
            inputs = (
                [inputs[key] for key in sorted(struct)]
                if isinstance(struct, dict)
                else [inputs[tensor.name] for tensor in graph.inputs]
            )
        read = tree.flatten(inputs)
        for tensor, expected, own in zip(read, graph.inputs, tree.flatten(mask) or [None] * len(read), strict=True):
            if len(tensor.shape) != len(expected.shape):
                raise UnsupportedError(
                    f"{where} is called with a tensor of shape {tuple(tensor.shape)}; it was built for "
                    f"{tuple(expected.shape)}, which is allowed: reshape the tensor before the model"
                )
            if own is not None:
                tensor._keras_mask = own
        outputs = self.run(graph, f"{prefix}{model.name}_", read)
        return outputs[0] if len(outputs) == 1 else outputs
