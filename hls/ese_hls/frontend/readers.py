# SPDX-License-Identifier: Apache-2.0
"""Which reader turns which layer or operation into graph nodes, the same for both generations of Keras."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ese_hls.frontend import plain_layers, recurrent, weighted_layers
from ese_hls.frontend.call import MAPPED, Call, CallTensor, Node, is_known, is_layer
from ese_hls.frontend.operations import OF_TENSORFLOW, OPERATIONS

Reader = Callable[[Call], "tuple[Node, ...]"]


def time_distributed(call: Call) -> tuple[Node, ...]:
    """Read TimeDistributed as the layer that it wraps: engine and host apply these layers at every step anyway.

    Raises:
        UnsupportedError: if the wrapped layer is not among those that may be applied at every step.
    """
    inner = call.layer.layer
    if type(inner).__name__ not in AT_EVERY_STEP or not is_known(type(inner)):
        raise call.refuse(
            f"wraps {type(inner).__name__}; {', '.join(AT_EVERY_STEP[:-1])} and {AT_EVERY_STEP[-1]} are allowed: use "
            "one of them"
        )
    return _read(replace(call, layer=inner))


def flatten(call: Call) -> tuple[Node, ...]:
    """Read Flatten, which with data_format="channels_first" moves the first axis behind the others before."""
    shape = call.inputs[0].shape
    if call.layer.data_format == "channels_last" or len(shape) < 2:
        return plain_layers.reshape(call)
    moved = CallTensor(f"{call.outputs[0].name}_moved", (*shape[1:], shape[0]))
    axes = (*range(2, len(shape) + 1), 1)
    order = call.node("HostStep", output=moved, name=f"{call.name}_order", operation="permute", axes=axes)
    return (order, call.node("HostStep", (moved,), operation="reshape"))


AT_EVERY_STEP = (
    "Dense",
    "QDense",
    "QDenseBatchnorm",
    "Activation",
    "QActivation",
    "ReLU",
    "LeakyReLU",
    "ELU",
    "BatchNormalization",
    "QBatchNormalization",
    "LayerNormalization",
    "Dropout",
)
"""Layers that TimeDistributed may wrap."""
LAYERS: dict[str, Reader] = {
    "Activation": plain_layers.activation,
    "ActivityRegularization": plain_layers.identity,
    "Add": plain_layers.merge("add"),
    "AlphaDropout": plain_layers.identity,
    "Average": plain_layers.merge("average"),
    "AveragePooling1D": plain_layers.pooling("mean"),
    "AveragePooling2D": plain_layers.pooling("mean"),
    "BatchNormalization": plain_layers.normalization,
    "Bidirectional": recurrent.bidirectional,
    "Concatenate": plain_layers.merge("concatenate"),
    "Cropping1D": plain_layers.cropping,
    "Cropping2D": plain_layers.cropping,
    "Dense": weighted_layers.dense,
    "Dropout": plain_layers.identity,
    "ELU": plain_layers.element_wise,
    "Embedding": plain_layers.embedding,
    "Flatten": flatten,
    "GRU": recurrent.recurrent,
    "GaussianDropout": plain_layers.identity,
    "GaussianNoise": plain_layers.identity,
    "GlobalAveragePooling1D": plain_layers.global_pooling("mean"),
    "GlobalAveragePooling2D": plain_layers.global_pooling("mean"),
    "GlobalMaxPooling1D": plain_layers.global_pooling("maximum"),
    "GlobalMaxPooling2D": plain_layers.global_pooling("maximum"),
    "Identity": plain_layers.identity,
    "InputLayer": plain_layers.input_layer,
    "LSTM": recurrent.recurrent,
    "LayerNormalization": plain_layers.frame_normalization,
    "LeakyReLU": plain_layers.leaky_relu,
    "Masking": plain_layers.masking,
    "MaxPooling1D": plain_layers.pooling("maximum"),
    "MaxPooling2D": plain_layers.pooling("maximum"),
    "Maximum": plain_layers.merge("maximum"),
    "Minimum": plain_layers.merge("minimum"),
    "Multiply": plain_layers.merge("multiply"),
    "PReLU": plain_layers.prelu,
    "Permute": plain_layers.permute,
    "QActivation": plain_layers.activation,
    "QBatchNormalization": plain_layers.normalization,
    "QBidirectional": recurrent.bidirectional,
    "QDense": weighted_layers.dense,
    "QDenseBatchnorm": weighted_layers.dense_batchnorm,
    "QGRU": recurrent.recurrent,
    "QLSTM": recurrent.recurrent,
    "QLSTMP": recurrent.recurrent,
    "QSimpleRNN": recurrent.without_gates,
    "RMSNormalization": plain_layers.frame_normalization,
    "RNN": recurrent.recurrent,
    "ReLU": plain_layers.relu,
    "RepeatVector": plain_layers.repeat,
    "Reshape": plain_layers.reshape,
    "SimpleRNN": recurrent.without_gates,
    "Softmax": plain_layers.softmax,
    "SpatialDropout1D": plain_layers.identity,
    "Subtract": plain_layers.merge("subtract"),
    "ThresholdedReLU": plain_layers.thresholded_relu,
    "TimeDistributed": time_distributed,
    "UpSampling1D": plain_layers.up_sampling,
    "UpSampling2D": plain_layers.up_sampling,
    "ZeroPadding1D": plain_layers.zero_padding,
    "ZeroPadding2D": plain_layers.zero_padding,
}
"""Readers of layers, by the name of their class, which must be of Keras, QKeras or `ese_models`."""
IGNORE_MASKS = ("BatchNormalization", "QBatchNormalization", "TimeDistributed")
"""Layers that take a mask that changes nothing at inference; what TimeDistributed may wrap takes none."""


def read_all(calls: Sequence[Call], outputs: Sequence[CallTensor]) -> list[Node]:
    """The graph nodes of a model's calls; calls that only compute masks become none.

    Raises:
        UnsupportedError: if a call is not mapped; the message names its layer.
    """
    maker = {tensor.name: call for call in calls for tensor in call.outputs}
    needed = {tensor.name for tensor in outputs}
    kept: list[Call] = []
    for call in reversed(calls):
        used = needed.intersection(tensor.name for tensor in call.outputs)
        if used or not call.inputs:
            needed.update(tensor.name for tensor in call.inputs)
            kept.insert(0, replace(call, used=frozenset(used)))
    nodes: list[Node] = []
    for call in kept:
        _check_type(call)
        if call.masked and call.kind not in IGNORE_MASKS:
            _check_mask(call, maker)
        nodes += _read(call)
    return nodes


def _check_type(call: Call) -> None:
    """Refuse a layer that computes in half precision, whose rounding the engine does not repeat."""
    computes = getattr(call.layer, "compute_dtype", None)
    if call.inputs and computes in ("float16", "bfloat16"):
        raise call.refuse(
            f"computes in {computes}; float32 is allowed: load the weights into the same model built with the dtype "
            "policy 'float32'"
        )


def _check_mask(call: Call, maker: dict[str, Call]) -> None:
    """Refuse a mask other than that of the nearest layer before the call that makes one.

    Args:
        call: the call of a layer that gets a mask.
        maker: the call that computes each tensor.

    Raises:
        UnsupportedError: if the mask is another one, or computed from several.
    """
    before: dict[str, Call] = {}
    waiting = [tensor.name for tensor in call.inputs]
    while waiting:
        source = maker[waiting.pop()]
        if source.kind == "Masking" or getattr(source.layer, "mask_zero", False):
            before[source.outputs[0].name] = source
        else:
            waiting += [tensor.name for tensor in source.inputs]
    name = "" if call.mask is None else call.mask.name
    known = name in maker  # Keras 2 computes masks by no call
    expected = {
        (source.inputs[0].name, source.layer.mask_value if source.kind == "Masking" else 0)
        for source in before.values()
    }
    if len(before) != 1 or (known and _origins(name, maker) != expected):
        raise call.refuse(
            "gets a mask that is not that of one Masking or Embedding layer before it; only such a mask is allowed: "
            "put a Masking layer before it, and leave out mask="
        )


def _origins(name: str, maker: dict[str, Call]) -> set[Any]:
    """The tensors and values that a mask of Keras 3 compares; None stands for any other origin."""
    made = maker[name]
    inner = made.inputs[0].name if made.inputs else name
    if made.kind == "Any" and maker[inner].kind == "NotEqual":
        return _origins(inner, maker)
    if made.kind == "NotEqual":
        return {(inner, [*made.args, *made.kwargs.values()][1])}
    if made.kind == "ZerosLike":
        return set()
    along = getattr(made.layer, "axis", -1) in (-1, len(made.outputs[0].shape))
    if made.kind in ("LogicalOr", "ExpandDims", "Any") or (made.kind == "Concatenate" and along):
        return set().union(*(_origins(tensor.name, maker) for tensor in made.inputs))
    return {None}


def _read(call: Call) -> tuple[Node, ...]:
    """The graph nodes of one call."""
    kind, layer = type(call.layer), call.layer
    table, name = (LAYERS, kind.__name__) if is_layer(layer) else (OPERATIONS, kind.__name__)
    if name == "TFOpLambda":
        table, name = OPERATIONS, OF_TENSORFLOW.get(layer.symbol, name)
    if name not in table or not is_known(kind):
        raise call.refuse(f"has no place in the engine; it runs {MAPPED}: replace the layer or leave it out")
    mode = getattr(layer, "quantization_mode", None)
    if mode is not None:
        raise call.refuse(
            f"was quantized by Keras to {mode}, which also rounds its inputs anew for each sample; only layers without "
            "it are allowed: convert the model as it was before model.quantize(), or use QDense with a kernel_quantizer"
        )
    return table[name](call)
