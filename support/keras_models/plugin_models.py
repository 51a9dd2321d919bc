# SPDX-License-Identifier: Apache-2.0
"""Small seeded QKeras models for the plugin's tests."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from qkeras import (
    QGRU,
    QLSTM,
    QActivation,
    QDense,
    QGRUCell,
    QLSTMCell,
    quantized_bits,
    quantized_sigmoid,
    quantized_tanh,
)

from ese_hls.emulate import codes_of
from ese_host.interface import outputs_of
from ese_host.ir.program import run

DENSITY = 0.3


def bits(width: int, integer: int) -> Any:
    """A signed quantizer of `width` bits with scale 1; `integer` bits stand before the point, the sign not counted."""
    return quantized_bits(width, integer, alpha=1)


def of_cells() -> dict[str, Any]:
    """The 8-bit quantizers and hard activations of a recurrent layer."""
    return {
        "kernel_quantizer": quantized_bits(4, 0, alpha="auto_po2"),
        "recurrent_quantizer": quantized_bits(4, 0),
        "bias_quantizer": bits(8, 2),
        "state_quantizer": bits(8, 1),
        "activation": quantized_tanh(8),
        "recurrent_activation": quantized_sigmoid(8),
    }


def lstm(units: int = 10, **changes: Any) -> Any:
    """An 8-bit QLSTM with hard activations; keyword arguments replace its options."""
    layer = QLSTM(units, **{**of_cells(), **changes})
    layer.name = "lstm"
    return layer


def cell(units: int, name: str) -> Any:
    """A cell with the quantizers of `lstm`."""
    return QLSTMCell(units, **of_cells(), name=name)


def gru(units: int = 10, name: str = "gru", **changes: Any) -> Any:
    """An 8-bit QGRU with hard activations; keyword arguments replace its options."""
    layer = QGRU(units, **{**of_cells(), **changes})
    layer.name = name
    return layer


def gru_cell(units: int, name: str, **changes: Any) -> Any:
    """A cell with the quantizers of `gru`."""
    return QGRUCell(units, **of_cells(), **changes, name=name)


def dense(units: int = 5, **changes: Any) -> Any:
    """A QDense layer with 4-bit weights; keyword arguments replace its options."""
    options: dict[str, Any] = {"kernel_quantizer": quantized_bits(4, 0, alpha=1.0), "bias_quantizer": bits(8, 2)}
    return QDense(units, name=changes.pop("name", "dense"), **{**options, **changes})


def fill(model: Any, density: float = DENSITY, seed: int = 7) -> Any:
    """Give a model seeded random weights, and return it.

    Args:
        model: the model.
        density: share of the kernels' weights that is not zero.
        seed: of the random generator.
    """
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        name = variable.path.split("/")[-1]
        if name in ("kernel", "recurrent_kernel", "bias"):
            values = rng.normal(scale=0.5, size=variable.shape)
            if name != "bias":
                values[rng.random(values.shape) >= density] = 0
            variable.assign(values)
    return model


def chain(*layers: Any, shape: tuple[int | None, ...] = (6, 7), source: Any = "bits", density: float = DENSITY) -> Any:
    """A sequential model of an input, its quantizer and the given layers, with seeded weights.

    Args:
        layers: the layers after the input's quantizer.
        shape: of the input, without the batch.
        source: layer that quantizes the input; "bits" for an 8-bit quantizer, None for no quantizer.
        density: share of the kernels' weights that is not zero.
    """
    first = [QActivation(bits(8, 2), name="source")] if source == "bits" else [source] if source is not None else []
    return fill(keras.Sequential([keras.Input(shape, name="x"), *first, *layers]), density)


def classifier(**changes: Any) -> Any:
    """Input quantizer, LSTM, Dense and softmax: 8 bits, hard activations and power-of-two scales throughout."""
    return chain(lstm(**changes), dense(), keras.layers.Activation("softmax", name="softmax"))


def recurrent(name: str, units: int = 6, **changes: Any) -> Any:
    """The layer of `lstm` under another name."""
    layer = lstm(units, **changes)
    layer.name = name
    return layer


def functional(build: Any, shape: tuple[int | None, ...] = (6, 7), **options: Any) -> Any:
    """A functional model with seeded weights; a layer with a `fill` method fills itself.

    Args:
        build: function from the quantized input to the output, both Keras tensors.
        shape: of the input, without the batch.
        options: further arguments of `fill`.
    """
    x = keras.Input(shape, name="x")
    model = fill(keras.Model(x, build(QActivation(bits(8, 2), name="source")(x))), **options)
    for layer in model.layers:
        if hasattr(layer, "fill"):
            layer.fill(layer.output.shape[-1])
    return model


def frames(model: Any, samples: int = 12, seed: int = 3, masked: bool = False) -> list[Any]:
    """Seeded inputs of a model, one array for each input.

    Args:
        model: the model.
        samples: number of samples.
        seed: of the random generator.
        masked: whether to set frames of the first input to zero, at both ends and in between.
    """
    rng = np.random.default_rng(seed)
    x = [rng.normal(size=(samples, *tensor.shape[1:])).astype(np.float32) for tensor in model.inputs]
    if masked:
        x[0][rng.random(x[0].shape[:2]) < 0.4] = 0
        x[0][:, 2] = 1
        x[0][0, :2] = x[0][1, 3:] = 0
    return x


def as_list(outputs: Any) -> list[Any]:
    """A model's outputs as a list of arrays, whether it has one or several."""
    return [np.asarray(array) for array in (outputs if isinstance(outputs, (list, tuple)) else [outputs])]


def golden_values(conversion: Any, x: list[Any]) -> list[Any]:
    """The golden model's outputs for the inputs `x` of a conversion, one array per output, in Keras's shapes."""
    return outputs_of(run(conversion.program, codes_of(conversion, x)), conversion.outputs)


def inputs(model: Any, samples: int = 20, steps: int = 6, seed: int = 3) -> Any:
    """Seeded inputs of a model with one sequence input, (samples, steps, features).

    Args:
        model: the model, whose last input axis gives the features.
        samples: number of samples.
        steps: steps of each sequence.
        seed: of the random generator.
    """
    return np.random.default_rng(seed).normal(size=(samples, steps, model.input_shape[-1])).astype(np.float32)


def convert(
    model: Any,
    out: Any = "unused",
    layers: dict[str, dict[str, Any]] | None = None,
    configured: bool = True,
    **options: Any,
) -> Any:
    """Convert a model with the ESE backend, the way a user of hls4ml does.

    Args:
        model: the Keras model.
        out: folder of the project; need not exist.
        layers: settings by layer name, for hls_config["LayerName"]; used only if `configured`.
        configured: whether to begin with hls4ml's configuration by name; otherwise only Precision "auto" is given.
        options: keys of hls_config["Model"]; used only if `configured`.
    """
    import hls4ml

    if not configured:
        config = {"Model": {"Precision": "auto"}}
        return hls4ml.converters.convert_from_keras_model(model, backend="ESE", output_dir=str(out), hls_config=config)
    config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend="ESE")
    config["Model"].update(options)
    for name, settings in (layers or {}).items():
        config["LayerName"].setdefault(name, {}).update(settings)
    return hls4ml.converters.convert_from_keras_model(
        model, backend="ESE", output_dir=str(out), hls_config=config, io_type="io_stream"
    )
