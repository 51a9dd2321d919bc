# SPDX-License-Identifier: Apache-2.0
"""A `get_ymodel_keras` for models of Keras 3 and QKeras, for which hls4ml 1.3's fails (docs/reference/hls4ml.md)."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from ese_hls.emulate import UNTRACED
from ese_hls.quantize import name_of


def get_ymodel_keras(keras_model: Any, x: npt.NDArray[np.floating[Any]]) -> dict[str, npt.NDArray[np.float32]]:
    """The output of every layer, under the name that `ModelGraph.trace` uses.

    Args:
        keras_model: a Sequential or functional model that has been built.
        x: samples, as for the model's `predict`.

    Returns:
        {name: output}. A Dense layer that has an activation has two entries: `<name>` for its sums and
        `<name>_<activation>` for its outputs. Input and Dropout layers have none, as in hls4ml.
    """
    outputs: dict[str, Any] = {}
    with_activation: list[Any] = []
    for layer in keras_model.layers:
        if type(layer).__name__ in UNTRACED:
            continue
        name = layer.name
        if _has_own_activation(layer):
            name = f"{name}_{name_of(layer.activation)}"
            with_activation.append(layer)
        outputs[name] = layer.output
    values = _run(keras_model, outputs, x)
    for layer in with_activation:
        function, layer.activation = layer.activation, None
        try:
            values.update(_run(keras_model, {layer.name: layer.output}, x))
        finally:
            layer.activation = function
    return values


def _has_own_activation(layer: Any) -> bool:
    """Whether a layer is a Dense layer (of Keras or QKeras) that applies an activation to its sums."""
    function = getattr(layer, "activation", None)
    return isinstance(layer, keras.layers.Dense) and function is not None and name_of(function) != "linear"


def _run(model: Any, outputs: dict[str, Any], x: npt.NDArray[np.floating[Any]]) -> dict[str, npt.NDArray[np.float32]]:
    """Values of the Keras tensors in `outputs` for the samples `x`."""
    values = keras.Model(model.inputs, list(outputs.values())).predict(x, verbose=0)
    return dict(zip(outputs, values if isinstance(values, list) else [values], strict=True))
