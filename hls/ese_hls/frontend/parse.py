# SPDX-License-Identifier: Apache-2.0
"""Keras models to graph nodes, for this backend only, in place of hls4ml's own two functions.

hls4ml 1.3 reads a Keras 3 model with one registry of handlers for all backends, which has none for QKeras's layers, and
a Keras 2 model from its JSON, without the quantizer objects. This module therefore replaces the function that reads the
generation of Keras that is installed: `parse_keras_v3_model` or `parse_keras_model`. If a model is read for this
backend, the replacement walks the model's calls and uses our readers; otherwise it calls hls4ml's function. That
function does not exist yet when hls4ml loads its plugins (hls4ml.converters is only half imported then), so it is
replaced when `hls4ml.backends.get_backend` is first called.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from ese_hls.frontend import keras2, keras3
from ese_hls.frontend.call import Call, Calls, Node
from ese_hls.frontend.readers import read_all
from ese_hls.keras_version import is_keras2
from ese_host.errors import UnsupportedError

Parsed = tuple[list[Node], list[str], list[str], Any]
_CALLERS = {
    "hls4ml.utils.config": "config_from_keras_model",
    "hls4ml.converters.keras_v3_to_hls": "keras_v3_to_hls",
    "hls4ml.converters.keras_v2_to_hls": "keras_v2_to_hls",
}
"""Functions of hls4ml that know the backend, by module."""


def calls_of(model: Any) -> tuple[Call, ...]:
    """Every call of a layer or operation of a Sequential or functional model, in the order of computation.

    Models within models are flattened under Keras 3: their layers are named `<model>_<layer>`.

    Raises:
        UnsupportedError: if the model is subclassed or has not been built.
    """
    return tuple(_calls(model)[0])


def _calls(model: Any) -> Calls:
    return keras2.calls_of(model) if is_keras2() else keras3.calls_of(model)


def parse(model: Any) -> Parsed:
    """Read a Keras model: nodes, names of input and output nodes, shapes of outputs.

    Raises:
        UnsupportedError: if this backend does not read one of the layers, or the model has no graph of layers.
    """
    calls, inputs, outputs = _calls(model)
    nodes, used = read_all(calls, outputs), {"input"}  # hls4ml reserves the name
    for node in nodes:
        given, node["name"] = node["name"], _unique(node["name"], used)
        if node["name"] != given and "tensors" in node:
            node["tensors"] = node["tensors"].named(node["name"])
    provides = {name: node["name"] for node in nodes for name in node["output_keras_tensor_names"]}
    for node in nodes:
        node["inputs"] = [provides[name] for name in node["input_keras_tensor_names"]]
    ends = [[provides[tensor.name] for tensor in tensors] for tensors in (inputs, outputs)]
    return nodes, ends[0], ends[1], [[None, *tensor.shape] for tensor in outputs]


def _unique(name: str, used: set[str]) -> str:
    """The name, with a number if another node has it, as hls4ml numbers the calls of a shared layer."""
    candidates = (name, *(f"{name}_{index}" for index in range(len(used))))
    chosen = next(candidate for candidate in candidates if candidate not in used)
    used.add(chosen)
    return chosen


def requested_backend() -> str:
    """The backend for which hls4ml is reading a model, in lower case; "none" if it is not reading one.

    hls4ml does not tell the functions that read, so this looks up the call stack for a function that knows the backend.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if _CALLERS.get(frame.f_globals.get("__name__", "")) == frame.f_code.co_name:
            values = frame.f_locals
            backend = values["backend"] if "backend" in values else values["config"].get("Backend")
            return str(getattr(backend, "name", backend)).lower()
        frame = frame.f_back
    return "none"


class ParseForEse:
    """A replacement of hls4ml's function that reads models for this backend, and calls hls4ml's for all others.

    Attributes:
        stock: hls4ml's function.
        model_of: the model object among the function's arguments; None if they hold none.
    """

    def __init__(self, stock: Callable[..., Any], model_of: Callable[..., Any]) -> None:
        self.stock = stock
        self.model_of = model_of

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Read a model: nodes in the order of computation, names of input and output nodes, shapes of outputs.

        Raises:
            UnsupportedError: if the model is given as a file, or cannot be read (see `parse`).
        """
        if requested_backend() != "ese":
            return self.stock(*args, **kwargs)
        model = self.model_of(*args, **kwargs)
        if model is None:
            raise UnsupportedError(
                "the model is given as a file; backend ESE needs the model object, since it calls the model's "
                "quantizers: load the file, and pass the model to convert_from_keras_model"
            )
        return parse(model)


def _model_of_keras2(model_arch: Any, reader: Any) -> Any:  # noqa: ARG001 - hls4ml's signature
    return getattr(reader, "model", None)


def _model_of_keras3(model: Any, *_: Any, **__: Any) -> Any:
    return model


def register() -> None:
    """Have hls4ml's function replaced when hls4ml first looks up a backend; a second call changes nothing."""
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
    old = is_keras2()
    module = sys.modules[f"hls4ml.converters.keras_v{2 if old else 3}_to_hls"]
    name = "parse_keras_model" if old else "parse_keras_v3_model"
    stock = getattr(module, name)
    if not isinstance(stock, ParseForEse):
        replacement = ParseForEse(stock, _model_of_keras2 if old else _model_of_keras3)
        for owner in (module, sys.modules["hls4ml.converters"]):
            setattr(owner, name, replacement)
