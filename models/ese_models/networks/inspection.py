# SPDX-License-Identifier: Apache-2.0
"""Kernels, masks, formats and sizes of a network, read from its Keras model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from qkeras import QGRU, QLSTM, QActivation, QBidirectional, QDense

from ese_host.errors import FormatError, UnsupportedError
from ese_host.files import load_model as read_model
from ese_models.networks.builder import Formats
from ese_models.networks.mask_constraint import MaskConstraint
from ese_models.networks.prunable import prunable
from ese_models.networks.qlstmp import QLSTMP

RECURRENT = (QLSTM, QLSTMP, QGRU)
SILENT = (QActivation, keras.layers.Activation, keras.layers.Dropout, keras.layers.InputLayer)
"""Layers without weights."""


def load_model(path: str | Path) -> Any:
    """Load a saved Keras model, with the classes that entry points of the group ese4ml.keras_objects register.

    Raises:
        MissingError: if there is no such file.
        FormatError: if the file is not a Keras model.
    """
    advice = "make it with `ese4ml train` or `ese4ml compress`"
    return read_model(Path(path), advice, compiled=True, named=("QLSTM", "QGRU"))


def load(path: Path) -> Any:
    """Load a saved `network` and check its layers and weights.

    Raises:
        MissingError: if there is no such file.
        FormatError: if the file is not a Keras model, or a weight is not finite.
        UnsupportedError: if a layer is none that this project builds, or the last layer is no QDense.
    """
    model = load_model(path)
    kernels(model)
    check_finite(model)
    return model


def parts(model: Any) -> Iterator[tuple[str, Any]]:
    """Name and layer of each QLSTM, QLSTMP, QGRU and QDense, the two directions of a QBidirectional included.

    Raises:
        UnsupportedError: if a layer is none that this project builds, or the last layer is no QDense.
    """
    named = []
    for layer in model.layers:
        if isinstance(layer, QBidirectional):
            named += [(f"forward_{layer.name}", layer.forward_layer), (f"backward_{layer.name}", layer.backward_layer)]
        elif not isinstance(layer, SILENT):
            named.append((layer.name, layer))
    if not named or not all(isinstance(part, (*RECURRENT, QDense)) for _, part in named) or not _is_dense(named[-1][1]):
        names = ", ".join(type(layer).__name__ for layer in model.layers)
        raise UnsupportedError(
            f"the model has layers {names}; QLSTM, QLSTMP, QGRU or QBidirectional, then QDense are expected"
        )
    yield from named


def _is_dense(layer: Any) -> bool:
    return isinstance(layer, QDense)


def kernels(model: Any) -> dict[str, Any]:
    """Kernel name -> Keras variable, (inputs, outputs), in the order of computation.

    Names are `<layer>/kernel`, and for recurrent layers also `<layer>/recurrent_kernel` and
    `<layer>/projection_kernel`.

    Raises:
        UnsupportedError: if a layer is none that this project builds, or the last layer is no QDense.
    """
    list(parts(model))
    return {name: kernel.variable for name, kernel in prunable(model).items()}


def weight_quantizers(model: Any) -> dict[str, Any]:
    """Kernel name -> its quantizer, or None if the kernel has none."""
    return {name: kernel.quantizer for name, kernel in prunable(model).items()}


def constraints(model: Any) -> dict[str, MaskConstraint]:
    """Kernel name -> the constraint that holds its mask."""
    return {name: kernel.constraint for name, kernel in prunable(model).items()}


def formats_of(model: Any) -> Formats:
    """The formats of a network, read from its quantizers.

    Raises:
        UnsupportedError: if a layer is none that this project builds, the last layer is no QDense, or the input
            quantizer is missing.
    """
    layers = [layer for _, layer in parts(model)]
    activations = [layer for layer in model.layers if isinstance(layer, QActivation)]
    if not activations or activations[0].name != "source":
        raise UnsupportedError(
            "the model has no QActivation layer named 'source', which gives the format of its input; add one"
        )

    def pair(quantizer: Any) -> tuple[int, int]:
        return int(quantizer.bits), int(quantizer.integer)

    formats: dict[str, Any] = {
        "source": pair(activations[0].activation),
        "bias": pair(layers[0].bias_quantizer_internal),
    }
    if len(activations) > 1:
        formats["hidden"] = pair(activations[1].activation)
    recurrent = next((layer for layer in layers if not _is_dense(layer)), None)
    if recurrent is not None:
        formats["state"] = pair(recurrent.state_quantizer_internal)
        formats["gate_bits"], formats["cell_bits"] = (
            int(recurrent.recurrent_activation.bits),
            int(recurrent.activation.bits),
        )
        formats["smooth"] = bool(recurrent.activation.use_real_tanh)
        if not formats["smooth"]:
            formats["scales"] = dict(Formats.hard().scales)
    return Formats(**formats)


def check_finite(model: Any) -> None:
    """Check that all weights of a model are finite.

    Raises:
        FormatError: if one is not; the message names its layer and position.
    """
    for layer in model.layers:
        for variable in layer.weights:
            array = keras.ops.convert_to_numpy(variable)
            if not np.isfinite(array).all():
                where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
                raise FormatError(
                    f"layer {layer.name!r}: {variable.path.split('/')[-1]} at {where} is {array[where]}; "
                    "finite weights are needed: train again with a lower learning rate"
                )
