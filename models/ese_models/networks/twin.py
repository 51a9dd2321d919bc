# SPDX-License-Identifier: Apache-2.0
"""Copies of a Keras model with other layers in the places of those with prunable kernels, and with the same weights."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from qkeras import QGRU, QLSTM, QActivation, QBidirectional, QDense, quantized_sigmoid, quantized_tanh

from ese_host.errors import UnsupportedError
from ese_models.networks.builder import Formats, Mask, Weights, fixed, weight_quantizer
from ese_models.networks.mask_constraint import MaskConstraint, MaskGoal, under_mask, without_mask
from ese_models.networks.prunable import GRU, LSTM, leaves, prunable
from ese_models.networks.qlstmp import QLSTMP

Remake = Callable[[str, Any], Any]
"""Function from the name of a Dense, LSTM or GRU layer and the layer to a new layer of the same weights, unbuilt."""
UNQUANTIZED = (keras.layers.Embedding, keras.layers.Masking, QActivation)
"""Layers whose input must stay as it is: indices, values that are compared exactly, and what is quantized already."""
SOURCE_BITS = 16
"""Bits of an input quantizer."""


def copied(
    model: Any, remake: Remake | None = None, source: Callable[[str], Any] | None = None, prefix: str = ""
) -> Any:
    """A copy of a model with its weights, without an optimizer; some layers may be made anew.

    Args:
        model: a Sequential or Functional model whose weights exist.
        remake: makes the layers that take the places of Dense, LSTM and GRU layers; None copies
            them.
        source: gives for the name of an input a new layer that is put behind it; None puts none. Inputs that an
            Embedding, a Masking or a QActivation layer reads get none.
        prefix: of the names of layers that `remake` is called with.

    Raises:
        UnsupportedError: if the model is neither Sequential nor Functional.
    """

    def made(layer: Any) -> Any:
        return _remade(layer, f"{prefix}{layer.name}", remake)

    if not isinstance(model, keras.Model) or not model.built or not getattr(model, "inputs", None):
        raise UnsupportedError(
            f"the model is a {type(model).__name__} without inputs of known shape; a Sequential or Functional model is "
            "needed: give it an Input"
        )
    if isinstance(model, keras.Sequential):
        begin = [keras.Input(batch_shape=model.inputs[0].shape, dtype=model.inputs[0].dtype, name=model.inputs[0].name)]
        if source is not None and model.layers and not isinstance(model.layers[0], UNQUANTIZED):
            begin.append(source(model.inputs[0].name))
        copy = keras.Sequential([*begin, *(made(layer) for layer in model.layers)], name=model.name)
    else:
        # A model around the same layers is not compiled, so that the copy is not either.
        bare = keras.Model(model.input, model.output, name=model.name)
        behind: dict[int, Any] = {}

        def called(layer: Any, *args: Any, **kwargs: Any) -> Any:
            def quantized(tensor: Any) -> Any:
                made_by = getattr(tensor, "_keras_history", (None,))[0]
                if not isinstance(made_by, keras.layers.InputLayer):
                    return tensor
                if id(tensor) not in behind:
                    behind[id(tensor)] = source(made_by.name)(tensor)  # type: ignore[misc]
                return behind[id(tensor)]

            if source is not None and not isinstance(layer, UNQUANTIZED):
                args, kwargs = keras.tree.map_structure(quantized, (args, kwargs))
            return layer(*args, **kwargs)

        copy = keras.models.clone_model(bare, clone_function=made, call_function=called)
    _give_weights(model, copy)
    return copy


def _remade(layer: Any, name: str, remake: Remake | None) -> Any:
    """A new layer for one of the model: made anew, copied, or a wrapper or model around such layers."""

    def same() -> Any:
        made = type(layer).from_config(layer.get_config())
        made.name = layer.name  # qkeras-v3 gives the name of a saved QLSTM or QGRU only to its cell
        return made

    if isinstance(layer, keras.Model):
        return copied(layer, remake, prefix=f"{name}_")
    if remake is None:
        return same()
    if isinstance(layer, keras.layers.Bidirectional):
        ways = {way: remake(f"{way}_{name}", getattr(layer, f"{way}_layer")) for way in ("forward", "backward")}
        return QBidirectional(
            ways["forward"], backward_layer=ways["backward"], merge_mode=layer.merge_mode, name=layer.name
        )
    if isinstance(layer, keras.layers.TimeDistributed):
        inner = [remake(name, layer.layer) for _ in leaves(layer.layer)]
        return keras.layers.TimeDistributed(inner[0], name=layer.name) if inner else same()
    if list(leaves(layer)):
        return remake(name, layer)
    return same()


def _give_weights(old: Any, new: Any) -> None:
    """Set the weights of a layer or model to those of another one that has weights of the same names and shapes."""
    if isinstance(old, keras.Model):
        places = {layer.name: layer for layer in new.layers}
        for layer in filter(lambda layer: layer.weights, old.layers):
            _give_weights(layer, places[layer.name])
    elif isinstance(old, keras.layers.Bidirectional):
        _give_weights(old.forward_layer, new.forward_layer)
        _give_weights(old.backward_layer, new.backward_layer)
    else:
        values: dict[str, deque[Any]] = defaultdict(deque)
        for variable in old.weights:
            values[variable.name].append(variable)
        for variable in new.weights:
            # The quantizers of two kernels have variables of the same names, in the same order in both layers.
            value = values[variable.name].popleft() if values[variable.name] else None
            if value is not None and value.shape == variable.shape:
                variable.assign(value)


def masked(model: Any, masks: Mapping[str, Mask], goal: MaskGoal | None = None) -> Any:
    """A copy of a model with masks on its kernels; pruned weights are zero.

    Args:
        model: a Keras or QKeras model.
        masks: kernel name -> (outputs, inputs) mask; kernels without one keep all weights.
        goal: what the masks were made for.

    Raises:
        UnsupportedError: if the model has no kernel that can be pruned, or is neither Sequential nor Functional.
    """
    prunable(model)
    copy = copied(model)
    put_masks(copy, masks, goal)
    return copy


def put_masks(model: Any, masks: Mapping[str, Mask], goal: MaskGoal | None = None) -> None:
    """Put masks on the kernels of a built model, and set pruned weights to zero.

    A constraint that a kernel has already, such as a largest norm, is applied before its mask.

    Args:
        model: a Keras or QKeras model, or a layer.
        masks: kernel name -> (outputs, inputs) mask; kernels without one keep all weights.
        goal: what the masks were made for.
    """
    for name, kernel in prunable(model).items():
        mask = masks[name].T if name in masks else np.ones(kernel.variable.shape, dtype=bool)
        kernel.constrain(under_mask(kernel.constraint, mask, goal))
        kernel.variable.assign(kernel.constraint(kernel.variable))
    if isinstance(model, keras.Model):
        model.train_function = None  # a compiled step would go on with the constraints of before


def strip(model: Any) -> Any:
    """A copy of a model without masks, to be saved or used where ese4ml is not installed.

    Pruned weights are zero, as they are now; quantizers stay.

    Args:
        model: a Keras or QKeras model.

    Raises:
        UnsupportedError: if the model has no kernel that can be pruned, or is neither Sequential nor Functional.
    """
    copy = copied(model)
    for kernel in prunable(copy).values():
        kernel.constrain(without_mask(kernel.constraint))
    return copy


def quantized_twin(
    model: Any,
    weights: Weights,
    masks: Mapping[str, Mask],
    formats: Formats | None,
    *,
    scales: Formats | None = None,
    sources: Mapping[str, tuple[int, int]] | None = None,
    goal: MaskGoal | None = None,
) -> Any:
    """A copy of a model whose Dense, LSTM and GRU layers are QDense, QLSTM and QGRU layers with quantized kernels.

    QDense, QLSTM, QLSTMP and QGRU layers keep the quantizers that they have for anything but their kernels. Float
    layers get those of `formats`: a recurrent layer its bias, state, gates and cell activation, a Dense layer its bias;
    and so does an input that no quantizer reads.

    Args:
        model: a Keras or QKeras model.
        weights: kind of the kernels' quantizers; "float" gives the kernels none.
        masks: kernel name -> (outputs, inputs) mask; kernels without one keep all weights.
        formats: of float layers and inputs; None leaves these without quantizers, so that the conversion chooses.
        scales: gives the arguments of the kernels' quantizers; by default `formats` does.
        sources: format of each input's quantizer by the input's name, in place of that of `formats`.
        goal: what the masks were made for.

    Raises:
        UnsupportedError: if the model has no kernel that can be quantized, or is neither Sequential nor Functional.
    """
    kernels = prunable(model)
    form = formats or Formats()

    def remake(name: str, layer: Any) -> Any:
        def options(attribute: str) -> dict[str, Any]:
            variable = kernels[f"{name}/{attribute}"].variable
            mask = masks[f"{name}/{attribute}"].T if f"{name}/{attribute}" in masks else np.ones(variable.shape, bool)
            short = attribute.removesuffix("_kernel")
            return {
                f"{short}_quantizer": weight_quantizer(weights, tuple(variable.shape), scales or form),
                f"{short}_constraint": under_mask(kernels[f"{name}/{attribute}"].constraint, mask, goal),
            }

        if isinstance(layer, QLSTMP):
            own = {**options("kernel"), **options("recurrent_kernel"), **options("projection_kernel")}
            return QLSTMP(**{**_arguments(layer), **own})
        if type(layer) in (*LSTM, *GRU):
            return _recurrent(layer, {**options("kernel"), **options("recurrent_kernel")}, formats)
        return _dense(layer, options("kernel"), formats)

    def source(name: str) -> Any:
        return QActivation(fixed((sources or {}).get(name, form.source)), name=f"{name}_quantizer")

    twin = copied(model, remake, None if formats is None else source)
    for kernel in prunable(twin).values():
        kernel.variable.assign(kernel.constraint(kernel.variable))
    return twin


def _arguments(layer: Any) -> dict[str, Any]:
    """Constructor arguments of a layer, with its functions, initializers and quantizers as objects."""
    config = dict(layer.get_config())
    holder = getattr(layer, "cell", layer)
    for name in config:
        if name.endswith(("_initializer", "_regularizer", "_constraint")) or name in _FUNCTIONS:
            config[name] = getattr(holder, name, None)
        if name.endswith("_quantizer"):
            config[name] = getattr(holder, f"{name}_internal", None)
    config.pop("dtype", None)
    config.pop("quantization_config", None)
    return config


_FUNCTIONS = ("activation", "recurrent_activation")


def _recurrent(layer: Any, own: Mapping[str, Any], formats: Formats | None) -> Any:
    """A QLSTM layer in the place of an LSTM or QLSTM layer, or a QGRU layer in that of a GRU or QGRU layer."""
    config = {**_arguments(layer), **own}
    # qkeras-v3 fails with implementation 2 of a QGRU without reset_after.
    config["implementation"] = 2 if config.get("reset_after", True) else 1
    name = config.pop("name")
    for unused in ("use_cudnn", "time_major", "activity_regularizer", "kernel_range", "recurrent_range", "bias_range"):
        config.pop(unused, None)
    if not isinstance(layer, (QLSTM, QGRU)) and formats is not None:
        config |= {"bias_quantizer": fixed(formats.bias), "state_quantizer": fixed(formats.state)}
        if config["activation"] is keras.activations.tanh:
            config["activation"] = quantized_tanh(formats.cell_bits, use_real_tanh=True)
        if config["recurrent_activation"] is keras.activations.sigmoid:
            config["recurrent_activation"] = quantized_sigmoid(formats.gate_bits, use_real_sigmoid=True)
    made = (QLSTM if type(layer) in LSTM else QGRU)(**config)
    made.name = name  # a name given to QLSTM or QGRU becomes its cell's
    return made


def _dense(layer: Any, own: Mapping[str, Any], formats: Formats | None) -> Any:
    """A QDense layer in the place of a Dense layer, or a layer of the same class in the place of another one."""
    config = {**_arguments(layer), **own}
    if type(layer) is not keras.layers.Dense:
        return type(layer)(**config)
    for unused in ("lora_rank", "lora_alpha", "quantization_mode"):
        config.pop(unused, None)
    if formats is not None and layer.use_bias:
        config["bias_quantizer"] = fixed(formats.bias)
    return QDense(**config)


def source_format(largest: float) -> tuple[int, int]:
    """Bits and integer bits of an input quantizer that holds values of a magnitude, and as much again.

    >>> source_format(3.7)
    (16, 3)
    """
    return SOURCE_BITS, int(np.clip(np.ceil(np.log2(max(2 * largest, 2.0**-8))), 0, SOURCE_BITS - 1))


def masks_on(model: Any) -> dict[str, Mask]:
    """Kernel name -> (outputs, inputs) mask of the kernels that are under one."""
    found = prunable(model).items()
    return {name: kernel.constraint.mask.T for name, kernel in found if isinstance(kernel.constraint, MaskConstraint)}
