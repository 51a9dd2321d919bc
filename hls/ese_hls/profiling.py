"""What hls4ml's `get_ymodel_keras` is for, on Keras 3 and QKeras, where hls4ml 1.3's own stops (docs/hls4ml.md)."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from ese_hls.emulate import UNTRACED
from ese_hls.quantize import name_of


def get_ymodel_keras(keras_model: Any, x: npt.NDArray[np.floating[Any]]) -> dict[str, npt.NDArray[np.float32]]:
    """Every layer's output, by the names that `ModelGraph.trace` uses.

    Args:
        keras_model: Sequential or functional, built.
        x: as for its `predict`.

    Returns:
        {name: output}; a Dense layer with an activation of its own has two entries, `<name>` before it and
        `<name>_<activation>` after. Inputs and Dropout are left out, as hls4ml does.
    """
    outputs: dict[str, Any] = {}
    split: list[Any] = []
    for layer in keras_model.layers:
        if type(layer).__name__ in UNTRACED:
            continue
        name = layer.name
        if _has_own_activation(layer):
            name = f"{name}_{name_of(layer.activation)}"
            split.append(layer)
        outputs[name] = layer.output
    values = _run(keras_model, outputs, x)
    for layer in split:
        function, layer.activation = layer.activation, None
        try:
            values.update(_run(keras_model, {layer.name: layer.output}, x))
        finally:
            layer.activation = function
    return values


def _has_own_activation(layer: Any) -> bool:
    """Whether it is a Dense layer (of Keras or QKeras) that applies an activation to its sums."""
    function = getattr(layer, "activation", None)
    return isinstance(layer, keras.layers.Dense) and function is not None and name_of(function) != "linear"


def _run(model: Any, outputs: dict[str, Any], x: npt.NDArray[np.floating[Any]]) -> dict[str, npt.NDArray[np.float32]]:
    found = keras.Model(model.inputs, list(outputs.values())).predict(x, verbose=0)
    return dict(zip(outputs, found if isinstance(found, list) else [found], strict=True))
