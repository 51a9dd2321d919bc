"""Keras 3 layers to graph nodes, for this backend alone.

hls4ml 1.3 keeps one registry of Keras 3 handlers for all backends and does not tell a handler for which backend it
reads a model. Its own entries for QKeras layers do not exist: they fall back to the Keras 2 handlers, which refuse hard
activations and `use_bias=False`, drop alpha, know no quantizers but QKeras's, and after which the fallback appends the
layer's activation a second time (docs/hls4ml.md). So this module registers handlers of its own, and each of them
answers for this backend only: otherwise it calls the handler it stands in for, or returns None, upon which hls4ml
falls back exactly as if nothing had been registered.
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


def requested_backend() -> str:
    """The backend for which hls4ml is reading a model right now, in lower case; None outside of that.

    Read from the functions of hls4ml that know it, up the call stack: the registry's handlers are not told.
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
    """A registered handler: ours while this backend reads, what stood there before otherwise."""

    def __init__(self, read: Reader, stock: Handler | None) -> None:
        self.read = read
        self.stock = stock

    def __call__(self, layer: Any, inputs: Sequence[Any], outputs: Sequence[Any]) -> tuple[Node, ...] | None:
        """Nodes of one call of a Keras layer; None sends hls4ml on to its own fallback."""
        if requested_backend() != "ese":
            return None if self.stock is None else self.stock(layer, inputs, outputs)
        if not inputs:
            _forget_masks()
        masked = any(len(masks) > 0 for made, masks in _masks(layer) if made == outputs[0].name)
        return self.read(Call(layer, layer.name, _tensors(inputs), _tensors(outputs), masked))


def _tensors(tensors: Sequence[Any]) -> tuple[CallTensor, ...]:
    return tuple(CallTensor(tensor.name, tuple(tensor.shape[1:])) for tensor in tensors)


def _masks(layer: Any) -> list[tuple[str, list[Any]]]:
    """For each call of a layer its first output's name, and the masks that Keras hands it: tensors made by no layer."""
    from keras import Layer

    calls = []
    for node in layer._inbound_nodes:
        mask = node.arguments.kwargs.get("mask")
        found = [] if mask is None else [mask]
        own = [item for item in found if not isinstance(item._keras_history.operation, Layer)]
        calls.append((node.outputs[0].name, own))
    return calls


def _forget_masks() -> None:
    """Take the masks out of what hls4ml waits for, while it reads a model.

    Keras makes a mask from its Masking layer by operations that are no layers, and hands it to each layer behind as one
    more tensor; hls4ml then looks for a layer that provides it ("Circular dependency detected"). Its list of what each
    layer needs is a local of the function that calls the handlers, inputs first.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_name != "parse_keras_v3_model":
        frame = frame.f_back
    if frame is not None:
        model, pending = frame.f_locals["model"], frame.f_locals["dependency"]
        masks = {tensor.name for layer in model.layers for _, own in _masks(layer) for tensor in own}
        pending[:] = [(name, tuple(t for t in needs if t not in masks), makes) for name, needs, makes in pending]


def refuse(call: Call) -> tuple[Node, ...]:
    """Refuse a QKeras layer by name, before hls4ml's fallback stops at its quantizers.

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
"""QKeras layers that nothing here computes."""
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
"""By the class's full name; by its name alone where any package may define it."""


def register() -> None:
    """Put the handlers into hls4ml's registry; called a second time, it changes nothing."""
    for key, read in HANDLERS.items():
        stock = layer_handlers.get(key)
        if not isinstance(stock, OnlyForEse):
            layer_handlers[key] = OnlyForEse(read, stock)
