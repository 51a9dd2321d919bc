"""One call of a Keras layer within a model, and the graph nodes that represent it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ese_host.errors import UnsupportedError

Node = dict[str, Any]
"""A graph node as hls4ml's dictionary of attributes."""
Extents = tuple["int | None", ...]
"""A tensor's shape without the sample axis; None for an axis of varying length."""
MAPPED = (
    "LSTM, QLSTM, QLSTMP, Dense, QDense, Bidirectional, TimeDistributed, activations and quantizers, "
    "BatchNormalization, Masking, merges along the last axis, Reshape, Flatten, RepeatVector, Dropout, and a softmax "
    "at the end"
)
"""The layers that the backend converts, as refusals list them."""


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
    """One call of a Keras layer; a layer that is shared within a model has several.

    Attributes:
        layer: the Keras layer.
        name: name of the layer's graph nodes.
        inputs: the tensors that the call reads, without a mask.
        outputs: the tensors that it computes.
        masked: whether Keras passes it a mask.
    """

    layer: Any
    name: str
    inputs: tuple[CallTensor, ...]
    outputs: tuple[CallTensor, ...]
    masked: bool = False

    @property
    def kind(self) -> str:
        """The layer's class name, for messages."""
        return type(self.layer).__name__

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
        """
        sources = self.inputs if inputs is None else inputs
        target = self.outputs[0] if output is None else output
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
