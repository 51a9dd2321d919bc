"""Precisions of hls4ml's configuration for arrays that have no quantizer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ese_hls.quantize.tensors import WeightTensor
from ese_host.errors import UnsupportedError
from ese_host.ir import Fixed

WIDEST = 48
"""Bits of a precision at most; 16 of them are kept."""


def with_precision(node: Any, tensor: WeightTensor) -> WeightTensor:
    """The tensor with the precision that the configuration gives it; one with a quantizer has none.

    A kernel's comes from the layer's name, the layer's type or the model, in hls4ml's order. A bias takes one that is
    meant for it alone: 16 bits of its own are closer than a default for everything.

    Raises:
        UnsupportedError: the precision is no fixed-point one.
    """
    # Not at the top: importing hls4ml loads this plugin, which could then meet this module half imported.
    from hls4ml.model.types import FixedPrecisionType, IntegerPrecisionType, UnspecifiedPrecisionType

    if tensor.quantizer is not None:
        return tensor
    config = node.model.config
    name = tensor.precision_name
    if name == "bias" and f"{node.name.lower()}_bias" not in config.layer_name_precision:
        return tensor
    found, _ = config.get_precision(node, name)
    if isinstance(found, UnspecifiedPrecisionType):  # "auto": the quantizer's, and without one the model's
        found = config.backend.convert_precision_string(config.model_precision.get("default", "auto"))
    if isinstance(found, UnspecifiedPrecisionType):
        return tensor
    fixed = isinstance(found, (FixedPrecisionType, IntegerPrecisionType))
    if not fixed or found.width > WIDEST:
        rule = f"at most {WIDEST} bits are read" if fixed else "weights are fixed-point numbers"
        raise UnsupportedError(
            f"{tensor.where} has precision {found}; {rule}: set hls_config['LayerName']"
            f"[{node.name!r}]['Precision'][{name!r}] to, say, 'fixed<8,1>'"
        )
    return replace(tensor, precision=Fixed(found.width, found.integer, bool(found.signed)))
