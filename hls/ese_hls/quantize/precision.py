# SPDX-License-Identifier: Apache-2.0
"""Precisions of hls4ml's configuration, and formats that follow from ranges, for what the model does not quantize."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from ese_hls.quantize.tensors import WeightTensor
from ese_host.errors import UnsupportedError
from ese_host.ir import ELEMENT_BITS, Fixed

WIDEST = 48
"""Largest number of bits of a configured format."""
SPLIT_BITS = 30
"""Bits of values that the engine reads as two vector elements, each of half of the bits."""
LEAST_FRAC = 10
"""Fractional bits that are kept at least of a precision with too many bits, as in fixed<16,6>."""
MAX_FRAC = 20
"""Most fractional bits of a format that follows from a range: weights need their share of the 36 of a sum."""


def key_of(name: str, what: str = "result") -> str:
    """The configuration key that sets a precision of a layer, as a user writes it."""
    return f"hls_config['LayerName'][{name!r}]['Precision'][{what!r}]"


def of_layer(node: Any, what: str = "result", default: bool = True) -> Fixed | None:
    """The format that the configuration sets for one value of a layer, by the layer's name or type; else None.

    Args:
        node: the layer's graph node.
        what: result, state, or the name of a weight array.
        default: whether a precision of the layer that names no value counts.

    Raises:
        UnsupportedError: if it is not a fixed-point format, or too wide.
    """
    config = node.model.config
    kinds = ["input", "inputlayer"] if node.class_name == "Input" else [node.class_name.lower()]
    tables = [(config.layer_name_precision, node.name.lower())]
    tables += [(config.layer_type_precision, kind) for kind in kinds]
    for table, owner in tables:
        for key in (f"{owner}_{what}", f"{owner}_default")[: 1 + default]:
            if table.get(key) not in (None, "auto"):
                return _fixed(config, table[key], key_of(node.name, what))
    return None


def of_model(node: Any) -> Fixed | None:
    """The model's default format, or None if it is "auto"; hls4ml sets fixed<16,6> if the user gives none.

    Raises:
        UnsupportedError: if it is not a fixed-point format, or too wide.
    """
    config = node.model.config
    precision = config.model_precision.get("result") or config.model_precision.get("default")
    if precision in (None, "auto"):
        return None
    return _fixed(config, precision, "hls_config['Model']['Precision']")


def with_precision(node: Any, tensor: WeightTensor) -> WeightTensor:
    """The tensor with the precision that the configuration sets for it; unchanged if it has a quantizer.

    The model's default is not meant for weights: 16 bits at a binary point of their own are more precise. For the same
    reason a bias takes only a precision that names it.

    Raises:
        UnsupportedError: if the precision is not a fixed-point one, or too wide.
    """
    if tensor.quantizer is not None:
        return tensor
    name = tensor.precision_name
    form = of_layer(node, name, default=name != "bias")
    config = node.model.config
    of_all = config.model_precision.get(name)
    if form is None and of_all not in (None, "auto"):
        form = _fixed(config, of_all, f"hls_config['Model']['Precision'][{name!r}]")
    return replace(tensor, precision=form)


def _fixed(config: Any, text: Any, where: str) -> Fixed:
    """A precision of the configuration as a format of at most 48 bits; `where` names its key in messages."""
    # Imported here, since hls4ml loads this backend while it is half imported.
    from hls4ml.model.types import FixedPrecisionType, IntegerPrecisionType

    precision = config.backend.convert_precision_string(text)
    if not isinstance(precision, (FixedPrecisionType, IntegerPrecisionType)):
        raise UnsupportedError(f"{where} is {text}; a fixed-point format is allowed: write, say, 'fixed<16,6>'")
    integer = precision.width if isinstance(precision, IntegerPrecisionType) else precision.integer
    # Bits beyond 48 are dropped: they are finer than those of any vector element.
    bits = max(min(precision.width, WIDEST), integer)
    if bits > WIDEST:
        raise UnsupportedError(
            f"{where} is {text}; at most {WIDEST} integer bits are allowed: write, say, 'fixed<16,6>'"
        )
    return Fixed(bits, integer, bool(precision.signed))


def fits_split(form: Fixed) -> bool:
    """Whether the engine can read values of a format as two vector elements, which are signed."""
    return form.bits + (not form.signed) <= SPLIT_BITS


def narrowed(form: Fixed, bits: int = ELEMENT_BITS) -> Fixed:
    """A configured format, reduced to a number of bits if it is wider; at least 10 fractional bits are kept.

    >>> str(narrowed(Fixed(32, 16))), str(narrowed(Fixed(32, 1))), str(narrowed(Fixed(32, 16), 30))
    ('fixed<16,6>', 'fixed<16,1>', 'fixed<30,16>')
    """
    bits -= bits > ELEMENT_BITS and not form.signed
    return form if form.bits <= bits else Fixed(bits, min(form.integer, bits - LEAST_FRAC), form.signed)


def holding(low: float, high: float, bits: int = ELEMENT_BITS) -> Fixed:
    """The signed format that holds all values of a range, with as many fractional bits as possible.

    Values beyond 2**47 are left to saturate.

    Args:
        low: the smallest value.
        high: the largest value.
        bits: bits of the format.

    >>> str(holding(0, 1)), str(holding(-1, 0.75)), str(holding(-300, 20, 30))
    ('fixed<16,2>', 'fixed<16,1>', 'fixed<30,10>')
    """
    integer = ELEMENT_BITS - MAX_FRAC
    while integer < WIDEST and not _holds(Fixed(bits, integer), low, high):
        integer += 1
    return Fixed(bits, integer)


def _holds(form: Fixed, low: float, high: float) -> bool:
    """Whether the bounds of a range, once rounded, are within a format."""
    return form.low <= round(math.ldexp(low, form.frac)) and round(math.ldexp(high, form.frac)) <= form.high
