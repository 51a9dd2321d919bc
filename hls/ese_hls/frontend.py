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

import numpy as np
from hls4ml.converters.keras_v3 import layer_handlers

from ese_hls.formats import name_of
from ese_hls.tensors import LayerTensors, WeightTensor
from ese_host.errors import UnsupportedError

Node = dict[str, Any]
Handler = Callable[[Any, Sequence[Any], Sequence[Any]], "tuple[Node, ...] | None"]

_CALLERS = {"hls4ml.utils.config": "config_from_keras_model", "hls4ml.converters.keras_v3_to_hls": "keras_v3_to_hls"}


def requested_backend() -> str:
    """The backend for which hls4ml is reading a model right now, in lower case; None outside of that.

    Read from the two functions of hls4ml that know it, up the call stack: the registry's handlers are not told.
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

    def __init__(self, describe: Callable[[Any], Node], stock: Handler | None) -> None:
        self.describe = describe
        self.stock = stock

    def __call__(self, layer: Any, inputs: Sequence[Any], outputs: Sequence[Any]) -> tuple[Node, ...] | None:
        """Nodes of one Keras layer; None sends hls4ml on to its own fallback."""
        if requested_backend() != "ese":
            return None if self.stock is None else self.stock(layer, inputs, outputs)
        common = {
            "name": layer.name,
            "input_keras_tensor_names": [tensor.name for tensor in inputs],
            "output_keras_tensor_names": [tensor.name for tensor in outputs],
            "input_shape": [list(tensor.shape[1:]) for tensor in inputs],
            "keras_class": type(layer).__name__,
        }
        if inputs:
            common["n_in"] = int(inputs[0].shape[-1])
        return ({**common, **self.describe(layer)},)


def _weight(layer: Any, holder: Any, name: str, quantizer: Any) -> WeightTensor:
    values = np.asarray(getattr(holder, name), dtype=np.float32)
    return WeightTensor(layer.name, name, values, quantizer)


def _quantizer(holder: Any, name: str) -> Any:
    return getattr(holder, f"{name}_quantizer_internal", None)


def _dense(layer: Any) -> Node:
    tensors = LayerTensors(
        class_name=type(layer).__name__,
        kernel=_weight(layer, layer, "kernel", _quantizer(layer, "kernel")),
        bias=_weight(layer, layer, "bias", _quantizer(layer, "bias")) if layer.use_bias else None,
        activation=layer.activation,
    )
    return {"class_name": "SparseDense", "n_out": int(layer.units), "tensors": tensors}


def _lstm(layer: Any) -> Node:
    for option in ("return_state", "go_backwards", "stateful"):
        if getattr(layer, option, False):
            raise UnsupportedError(
                f"layer {layer.name!r} ({type(layer).__name__}) has {option}=True; the engine runs whole sequences "
                f"forward and returns outputs alone: build the layer with {option}=False"
            )
    cell = layer.cell
    tensors = LayerTensors(
        class_name=type(layer).__name__,
        kernel=_weight(layer, cell, "kernel", _quantizer(cell, "kernel")),
        recurrent=_weight(layer, cell, "recurrent_kernel", _quantizer(cell, "recurrent")),
        bias=_weight(layer, cell, "bias", _quantizer(cell, "bias")) if cell.use_bias else None,
        state=_quantizer(cell, "state"),
        activation=cell.activation,
        recurrent_activation=cell.recurrent_activation,
    )
    return {
        "class_name": "SparseLSTM",
        "n_out": int(cell.units),
        "return_sequences": bool(layer.return_sequences),
        "tensors": tensors,
    }


def _activation(layer: Any) -> Node:
    function = layer.activation
    return {"class_name": "Activation", "activation": name_of(function), "function": function}


def _relu(layer: Any) -> Node:
    plain = layer.max_value is None and not layer.negative_slope and not layer.threshold
    return {"class_name": "Activation", "activation": "relu" if plain else "bounded_relu", "function": None}


def _softmax(layer: Any) -> Node:
    return {"class_name": "Softmax", "activation": "softmax", "function": None, "axis": layer.axis}


def _identity(_layer: Any) -> Node:
    return {"class_name": "Activation", "activation": "linear", "function": None}


def _masking(layer: Any) -> Node:
    # Further on hls4ml 1.3 would stop at "Circular dependency detected": a mask's tensors come from no layer.
    raise UnsupportedError(
        f"layer {layer.name!r} (Masking) has no place in the engine, which runs each sequence for its own steps: leave "
        "it out of the model to convert, and pass sequences without their padding"
    )


def _input(layer: Any) -> Node:
    shape = list(layer.batch_shape[1:])
    steps = [1 if size is None else size for size in shape]  # hls4ml's variables need numbers; the engine does not
    return {"class_name": "InputLayer", "input_shape": steps, "variable_steps": None in shape}


HANDLERS: dict[str, Callable[[Any], Node]] = {
    "keras.src.layers.core.input_layer.InputLayer": _input,
    "keras.src.layers.core.masking.Masking": _masking,
    "keras.src.layers.core.dense.Dense": _dense,
    "keras.src.layers.rnn.lstm.LSTM": _lstm,
    "keras.src.layers.activations.activation.Activation": _activation,
    "keras.src.layers.activations.relu.ReLU": _relu,
    "keras.src.layers.activations.softmax.Softmax": _softmax,
    "keras.src.layers.regularization.dropout.Dropout": _identity,
    "keras.src.layers.regularization.spatial_dropout.SpatialDropout1D": _identity,
    "keras.src.layers.regularization.gaussian_dropout.GaussianDropout": _identity,
    "qkeras.qlayers.QDense": _dense,
    "qkeras.qlayers.QActivation": _activation,
    "qkeras.qrecurrent.QLSTM": _lstm,
}


def register() -> None:
    """Put the handlers into hls4ml's registry; called a second time, it changes nothing."""
    for key, describe in HANDLERS.items():
        stock = layer_handlers.get(key)
        if not isinstance(stock, OnlyForEse):
            layer_handlers[key] = OnlyForEse(describe, stock)
