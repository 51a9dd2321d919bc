"""Which reader turns which Keras 3 layer into graph nodes, for this backend only.

The readers, which Keras 2 shares, are in `weighted_layers` (LSTM, Dense), `plain_layers` and `wrappers`.

hls4ml 1.3 has one registry of Keras 3 handlers for all backends, and does not tell a handler for which backend it reads
a model. The registry has no entries for QKeras layers: these fall back to the Keras 2 handlers, which refuse hard
activations and `use_bias=False`, drop alpha, and know only QKeras's quantizers; then the fallback appends the layer's
activation a second time (docs/hls4ml.md). So this module registers handlers of its own. Each of them reads only for
this backend. For any other backend it calls the handler that it replaced, or returns None if there was none: hls4ml
then falls back exactly as if nothing had been registered.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from hls4ml.converters.keras_v3 import layer_handlers

from ese_hls.frontend import plain_layers, weighted_layers, wrappers
from ese_hls.frontend.call import MAPPED, Call, CallTensor, Node

Reader = Callable[[Call], "tuple[Node, ...]"]
Handler = Callable[[Any, Sequence[Any], Sequence[Any]], "tuple[Node, ...] | None"]

_CALLERS = {
    "hls4ml.utils.config": "config_from_keras_model",
    "hls4ml.converters.keras_v3_to_hls": "keras_v3_to_hls",
    "hls4ml.converters.keras_v2_to_hls": "keras_v2_to_hls",
}
"""Functions of hls4ml that know the backend, by module."""


def requested_backend() -> str:
    """The backend for which hls4ml is reading a model, in lower case; "none" if it is not reading one.

    hls4ml does not tell its handlers, so this looks up the call stack for a function of hls4ml that knows the backend.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if _CALLERS.get(frame.f_globals.get("__name__", "")) == frame.f_code.co_name:
            values = frame.f_locals
            backend = values["backend"] if "backend" in values else values["config"].get("Backend")
            return str(getattr(backend, "name", backend)).lower()
        frame = frame.f_back
    return "none"


class OnlyForEse:
    """A registered handler that reads layers for this backend, and calls the handler that it replaced for all others.

    Attributes:
        read: this backend's reader.
        stock: the handler that was registered before, or None.
    """

    def __init__(self, read: Reader, stock: Handler | None) -> None:
        self.read = read
        self.stock = stock

    def __call__(self, layer: Any, inputs: Sequence[Any], outputs: Sequence[Any]) -> tuple[Node, ...] | None:
        """The nodes of one call of a Keras layer; None if hls4ml is to use its own fallback.

        Args:
            layer: the Keras layer.
            inputs: the Keras tensors that the call reads.
            outputs: the Keras tensors that it computes.
        """
        if requested_backend() != "ese":
            return None if self.stock is None else self.stock(layer, inputs, outputs)
        if not inputs:
            _forget_masks()
        masked = any(len(masks) > 0 for output, masks in _masks(layer) if output == outputs[0].name)
        return self.read(Call(layer, layer.name, _tensors(inputs), _tensors(outputs), masked))


def _tensors(tensors: Sequence[Any]) -> tuple[CallTensor, ...]:
    return tuple(CallTensor(tensor.name, tuple(tensor.shape[1:])) for tensor in tensors)


def _masks(layer: Any) -> list[tuple[str, list[Any]]]:
    """For each call of a layer: the name of its first output, and the masks (one or none) that no layer computes."""
    from keras import Layer

    calls = []
    for node in layer._inbound_nodes:
        mask = node.arguments.kwargs.get("mask")
        implicit = mask is not None and not isinstance(mask._keras_history.operation, Layer)
        calls.append((node.outputs[0].name, [mask] if implicit else []))
    return calls


def _forget_masks() -> None:
    """Remove the masks from the list of tensors that hls4ml waits for while it reads a model.

    Keras computes a mask behind a Masking layer with operations that are not layers, and passes it to each following
    layer as one more tensor. hls4ml looks for a layer that provides this tensor, finds none, and stops ("Circular
    dependency detected"). The list of the tensors that each layer needs is a local variable of hls4ml's function that
    calls the handlers, so this function looks it up in the call stack. It is in time if the handlers of the inputs call
    it, because hls4ml calls these first.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_name != "parse_keras_v3_model":
        frame = frame.f_back
    if frame is not None:
        model, pending = frame.f_locals["model"], frame.f_locals["dependency"]
        masks = {tensor.name for layer in model.layers for _, tensors in _masks(layer) for tensor in tensors}
        pending[:] = [(name, tuple(t for t in needs if t not in masks), makes) for name, needs, makes in pending]


def refuse(call: Call) -> tuple[Node, ...]:
    """Refuse a layer by name; hls4ml's fallback would stop at the quantizers of a QKeras layer.

    Raises:
        UnsupportedError: always.
    """
    raise call.refuse(f"has no place in the engine; it runs {MAPPED}: replace the layer or leave it out")


UNMAPPED = (
    "qkeras.qconv2d_batchnorm.QConv2DBatchnorm",
    "qkeras.qconvolutional.QConv1D",
    "qkeras.qconvolutional.QConv2D",
    "qkeras.qconvolutional.QConv2DTranspose",
    "qkeras.qconvolutional.QDepthwiseConv2D",
    "qkeras.qconvolutional.QSeparableConv1D",
    "qkeras.qconvolutional.QSeparableConv2D",
    "qkeras.qdepthwiseconv2d_batchnorm.QDepthwiseConv2DBatchnorm",
    "qkeras.qpooling.QAveragePooling2D",
    "qkeras.qpooling.QGlobalAveragePooling2D",
    "qkeras.qrecurrent.QGRU",
    "qkeras.qrecurrent.QSimpleRNN",
)
"""QKeras layers that this backend does not map."""
HANDLERS: dict[str, Reader] = {
    "keras.src.layers.core.input_layer.InputLayer": plain_layers.input_layer,
    "keras.src.layers.core.masking.Masking": plain_layers.masking,
    "keras.src.layers.core.dense.Dense": weighted_layers.dense,
    "keras.src.layers.rnn.lstm.LSTM": weighted_layers.lstm,
    "keras.src.layers.rnn.bidirectional.Bidirectional": weighted_layers.bidirectional,
    "keras.src.layers.rnn.time_distributed.TimeDistributed": wrappers.time_distributed,
    "keras.src.layers.core.identity.Identity": plain_layers.identity,
    "keras.src.layers.activations.activation.Activation": plain_layers.activation,
    "keras.src.layers.activations.relu.ReLU": plain_layers.relu,
    "keras.src.layers.activations.softmax.Softmax": plain_layers.softmax,
    "keras.src.layers.normalization.batch_normalization.BatchNormalization": plain_layers.normalization,
    "keras.src.layers.merging.add.Add": plain_layers.merge("add"),
    "keras.src.layers.merging.average.Average": plain_layers.merge("average"),
    "keras.src.layers.merging.concatenate.Concatenate": plain_layers.merge("concatenate"),
    "keras.src.layers.merging.maximum.Maximum": plain_layers.merge("maximum"),
    "keras.src.layers.merging.minimum.Minimum": plain_layers.merge("minimum"),
    "keras.src.layers.merging.multiply.Multiply": plain_layers.merge("multiply"),
    "keras.src.layers.merging.subtract.Subtract": plain_layers.merge("subtract"),
    "keras.src.layers.regularization.activity_regularization.ActivityRegularization": plain_layers.identity,
    "keras.src.layers.regularization.alpha_dropout.AlphaDropout": plain_layers.identity,
    "keras.src.layers.regularization.dropout.Dropout": plain_layers.identity,
    "keras.src.layers.regularization.gaussian_dropout.GaussianDropout": plain_layers.identity,
    "keras.src.layers.regularization.gaussian_noise.GaussianNoise": plain_layers.identity,
    "keras.src.layers.regularization.spatial_dropout.SpatialDropout1D": plain_layers.identity,
    "keras.src.layers.reshaping.flatten.Flatten": plain_layers.reshape,
    "keras.src.layers.reshaping.permute.Permute": plain_layers.permute,
    "keras.src.layers.reshaping.repeat_vector.RepeatVector": plain_layers.repeat,
    "keras.src.layers.reshaping.reshape.Reshape": plain_layers.reshape,
    "keras.src.models.functional.Functional": wrappers.nested,
    "keras.src.models.model.Model": wrappers.nested,
    "keras.src.models.sequential.Sequential": wrappers.nested,
    "qkeras.qlayers.QDense": weighted_layers.dense,
    "qkeras.qlayers.QActivation": plain_layers.activation,
    "qkeras.qnormalization.QBatchNormalization": plain_layers.normalization,
    "qkeras.qrecurrent.QBidirectional": weighted_layers.bidirectional,
    "qkeras.qrecurrent.QLSTM": weighted_layers.lstm,
    "QLSTMP": weighted_layers.lstm,
    **dict.fromkeys(UNMAPPED, refuse),
}
"""Readers by the full name of the layer's class, or by its plain name if any package may define it."""


def register() -> None:
    """Put the handlers into hls4ml's registry; a second call changes nothing."""
    for key, read in HANDLERS.items():
        stock = layer_handlers.get(key)
        if not isinstance(stock, OnlyForEse):
            layer_handlers[key] = OnlyForEse(read, stock)
