"""Precisions of hls4ml's configuration for weight arrays without quantizer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ese_hls.quantize.tensors import WeightTensor
from ese_host.errors import UnsupportedError
from ese_host.ir import Fixed

WIDEST = 48
"""Largest number of bits of a precision; 16 of them are kept."""


def with_precision(node: Any, tensor: WeightTensor) -> WeightTensor:
    """The tensor with the precision that the configuration gives it; a tensor with a quantizer is returned unchanged.

    A kernel takes the precision set for the layer's name, for the layer's type, or for the model, in hls4ml's order. A
    bias takes only a precision that is set for this bias: 16 bits with a binary point of their own are more precise
    than a default that serves all tensors.

    Raises:
        UnsupportedError: if the precision is not a fixed-point one, or too wide.
    """
    # Imported here, since importing hls4ml loads this plugin, which could then find this module half imported.
    from hls4ml.model.types import FixedPrecisionType, IntegerPrecisionType, UnspecifiedPrecisionType

    if tensor.quantizer is not None:
        return tensor
    config = node.model.config
    name = tensor.precision_name
    if name == "bias" and f"{node.name.lower()}_bias" not in config.layer_name_precision:
        return tensor
    precision, _ = config.get_precision(node, name)
    if isinstance(precision, UnspecifiedPrecisionType):  # "auto" without a quantizer means the model's default
        precision = config.backend.convert_precision_string(config.model_precision.get("default", "auto"))
    if isinstance(precision, UnspecifiedPrecisionType):
        return tensor
    fixed = isinstance(precision, (FixedPrecisionType, IntegerPrecisionType))
    if not fixed or precision.width > WIDEST:
        rule = f"at most {WIDEST} bits are allowed" if fixed else "weights must be fixed-point numbers"
        raise UnsupportedError(
            f"{tensor.where} has precision {precision}; {rule}: set hls_config['LayerName']"
            f"[{node.name!r}]['Precision'][{name!r}] to, say, 'fixed<8,1>'"
        )
    return replace(tensor, precision=Fixed(precision.width, precision.integer, bool(precision.signed)))
