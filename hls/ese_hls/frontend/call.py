"""One call of a Keras layer within a model, and the graph nodes that stand for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ese_host.errors import UnsupportedError

Node = dict[str, Any]
Extents = tuple["int | None", ...]
MAPPED = (
    "LSTM, QLSTM, QLSTMP, Dense, QDense, Bidirectional, TimeDistributed, activations and quantizers, "
    "BatchNormalization, Masking, merges along the last axis, Reshape, Flatten, RepeatVector, Dropout, and a softmax "
    "at the end"
)
"""What the backend maps, as refusals say it."""


@dataclass(frozen=True)
class CallTensor:
    """A Keras tensor by name; `shape` has no sample axis, and None where an extent varies."""

    name: str
    shape: Extents


@dataclass(frozen=True)
class Call:
    """One call of a Keras layer; a shared layer has several.

    Attributes:
        layer: the Keras layer. name: what its nodes are called.
        inputs, outputs: its tensors, a mask left out.
        masked: whether Keras hands it a mask.
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
        """The error that names this layer; `reason` says what was found, what is allowed and the way out."""
        return UnsupportedError(f"layer {self.name!r} ({self.kind}) {reason}")

    def node(
        self,
        class_name: str,
        inputs: tuple[CallTensor, ...] | None = None,
        output: CallTensor | None = None,
        name: str | None = None,
        **attributes: Any,
    ) -> Node:
        """A node of this call; the call's own tensors and name where no others are given."""
        read = self.inputs if inputs is None else inputs
        written = self.outputs[0] if output is None else output
        return {
            "class_name": class_name,
            "name": name or self.name,
            "keras_class": self.kind,
            "input_keras_tensor_names": [tensor.name for tensor in read],
            "output_keras_tensor_names": [written.name],
            "input_shape": [list(tensor.shape) for tensor in read],
            "extents": written.shape,
            "n_in": read[0].shape[-1] if read else None,
            "n_out": written.shape[-1],
            **attributes,
        }
