# SPDX-License-Identifier: Apache-2.0
"""One call of a Keras layer or operation within a model, and the graph nodes that represent it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ese_hls.keras_version import is_keras2
from ese_host.errors import UnsupportedError
from ese_host.interface import Extents

Node = dict[str, Any]
"""A graph node as hls4ml's dictionary of attributes."""
MAPPED = (
    "LSTM, QLSTM, QLSTMP, GRU, QGRU, RNN of their cells, Dense, QDense, QDenseBatchnorm, Bidirectional, "
    "TimeDistributed, activations and quantizers, normalizations, Masking, Embedding, merges and arithmetic, softmax, "
    "pooling over steps, layers that only move elements, and Dropout"
)
"""The layers that the backend converts, as refusals list them."""
MASK = ":mask"
"""Under Keras 2, what stands behind a tensor's name in the name of its mask."""
KNOWN_PACKAGES = ("keras", "qkeras", "ese_models", "tensorflow")
"""Packages whose classes and functions do what their names say."""


def is_known(item: Any) -> bool:
    """Whether a class or function belongs to a package whose names the readers know."""
    return str(getattr(item, "__module__", "")).split(".", 1)[0] in KNOWN_PACKAGES


def is_layer(item: Any) -> bool:
    """Whether an object is a Keras layer; operations of `keras.ops` are none."""
    from keras.layers import Layer

    return isinstance(item, Layer)


@dataclass(frozen=True)
class CallTensor:
    """A Keras tensor.

    Attributes:
        name: the tensor's name, unique within a model.
        shape: its shape without the sample axis; None for an axis of varying length.
    """

    name: str
    shape: Extents


@dataclass(frozen=True)
class Call:
    """One call of a Keras layer or operation; a layer that is shared within a model has several.

    Attributes:
        layer: the Keras layer, or the operation of `keras.ops`.
        name: name of the call's graph nodes.
        inputs: the tensors that the call reads, without its mask.
        outputs: the tensors that it computes.
        mask: the mask that Keras passes to it, or None.
        args: its positional arguments, with a `CallTensor` in place of each tensor.
        kwargs: its keyword arguments, likewise.
        masks: for layers that compute with the masks of their inputs, those masks, None for an input without one.
        used: names of those outputs that the model reads or returns; empty until the model has been read to its end.
    """

    layer: Any
    name: str
    inputs: tuple[CallTensor, ...]
    outputs: tuple[CallTensor, ...]
    mask: CallTensor | None = None
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    masks: tuple[CallTensor | None, ...] = ()
    used: frozenset[str] = frozenset()

    @property
    def kind(self) -> str:
        """The layer's class name, for messages."""
        return type(self.layer).__name__

    @property
    def masked(self) -> bool:
        """Whether Keras passes it a mask."""
        return self.mask is not None

    def compute(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Call the Keras layer or operation itself, at inference, with the arguments that it has in the model.

        Args:
            values: arrays of whole batches by the name of their tensor; those of the inputs, and that of the mask.

        Returns:
            The outputs by the name of their tensor; an input layer returns its value among `values`.
        """
        if not self.inputs:
            return {tensor.name: values[tensor.name] for tensor in self.outputs}
        if is_keras2():
            return self._compute_keras2(values)
        from keras import ops, tree

        masks = dict(zip((tensor.name for tensor in self.inputs), self.masks, strict=False))

        def fill(item: Any) -> Any:
            if not isinstance(item, CallTensor):
                return item
            tensor, mask = ops.convert_to_tensor(values[item.name]), masks.get(item.name)
            if mask is not None:
                tensor._keras_mask = ops.convert_to_tensor(values[mask.name])
            return tensor

        outputs = self.layer(*tree.map_structure(fill, self.args), **tree.map_structure(fill, dict(self.kwargs)))
        flat = tree.flatten(outputs)
        return {tensor.name: np.asarray(value) for tensor, value in zip(self.outputs, flat, strict=True)}

    def _compute_keras2(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """`compute` for Keras 2, where masks are no arguments: the mask of a tensor is a value of its own."""
        from tensorflow import convert_to_tensor, nest

        def fill(item: Any) -> Any:
            if not isinstance(item, CallTensor):
                return item
            tensor, mask = convert_to_tensor(values[item.name]), values.get(f"{item.name}{MASK}")
            if mask is not None:
                tensor._keras_mask = convert_to_tensor(mask)
            return tensor

        outputs = self.layer(*nest.map_structure(fill, self.args), **nest.map_structure(fill, dict(self.kwargs)))
        results = {}
        for tensor, value in zip(self.outputs, nest.flatten(outputs), strict=True):
            results[tensor.name] = np.asarray(value)
            if getattr(value, "_keras_mask", None) is not None:
                results[f"{tensor.name}{MASK}"] = np.asarray(value._keras_mask)
        return results

    def refuse(self, reason: str) -> UnsupportedError:
        """An error that names this layer; `reason` says what was found, what is allowed and the way out."""
        return UnsupportedError(f"layer {self.name!r} ({self.kind}) {reason}")

    def node(
        self,
        class_name: str,
        inputs: tuple[CallTensor, ...] | None = None,
        output: CallTensor | None = None,
        name: str | None = None,
        **attributes: Any,
    ) -> Node:
        """A graph node for this call, as hls4ml's dictionary of attributes.

        Args:
            class_name: hls4ml's class of the node.
            inputs: the tensors that the node reads; by default those of the call.
            output: the tensor that it computes; by default the first one of the call.
            name: the node's name; by default that of the call.
            **attributes: further attributes of the node.

        Raises:
            UnsupportedError: if a tensor has no axis beside that of the samples.
        """
        sources = self.inputs if inputs is None else inputs
        target = self.outputs[0] if output is None else output
        if () in (target.shape, *(tensor.shape for tensor in sources)):
            raise self.refuse(
                "has a tensor of shape (samples,); at least one axis more is allowed, that of the features: give the "
                "tensor such an axis, say keras.Input((1,))"
            )
        return {
            "class_name": class_name,
            "name": name or self.name,
            "keras_class": self.kind,
            "input_keras_tensor_names": [tensor.name for tensor in sources],
            "output_keras_tensor_names": [target.name],
            "input_shape": [list(tensor.shape) for tensor in sources],
            "extents": target.shape,
            "n_in": sources[0].shape[-1] if sources else None,
            "n_out": target.shape[-1],
            **attributes,
        }


Calls = tuple[list[Call], list[CallTensor], list[CallTensor]]
"""The calls of a model in the order of computation, its inputs, and its outputs, both in the model's order."""
