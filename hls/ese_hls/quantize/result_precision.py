"""Formats that hls4ml's configuration gives to tensors without quantizer."""

from __future__ import annotations

from typing import Any

from ese_hls.quantize.precision import WIDEST
from ese_host.errors import UnsupportedError
from ese_host.ir import ELEMENT_BITS, Fixed

WIDE_INTEGER = 6
"""Integer bits kept of a precision too wide for a vector element, as in fixed<16,6>, at most."""


def of_layer(node: Any, what: str = "result") -> Fixed | None:
    """The format that the configuration gives to a node's result (or state) by the layer's name or type.

    Raises:
        UnsupportedError: it is no fixed-point format, or too wide.
    """
    config = node.model.config
    name, kind = node.name.lower(), node.class_name.lower()
    for table, owner in ((config.layer_name_precision, name), (config.layer_type_precision, kind)):
        for key in (f"{owner}_{what}", f"{owner}_default"):
            if table.get(key) not in (None, "auto"):
                return _fixed(config, table[key], f"hls_config: Precision of {node.name!r}")
    return None


def of_model(node: Any) -> Fixed | None:
    """The model's default format, fixed<16,6> where the user gave none: hls4ml fills it in.

    Raises:
        UnsupportedError: it is no fixed-point format, or too wide.
    """
    config = node.model.config
    found = config.model_precision.get("result") or config.model_precision.get("default")
    if found in (None, "auto"):
        return None
    return _fixed(config, found, "hls_config['Model']['Precision']")


def _fixed(config: Any, text: Any, where: str) -> Fixed:
    from hls4ml.model.types import FixedPrecisionType, IntegerPrecisionType  # not above: hls4ml loads this backend

    found = config.backend.convert_precision_string(text)
    if not isinstance(found, (FixedPrecisionType, IntegerPrecisionType)):
        raise UnsupportedError(f"{where} is {text}; a fixed-point format is allowed: write, say, 'fixed<16,6>'")
    integer = found.width if isinstance(found, IntegerPrecisionType) else found.integer
    bits = max(min(found.width, WIDEST), integer)  # what is cut off is finer than any element, whatever its range
    if bits > WIDEST:
        raise UnsupportedError(
            f"{where} is {text}; at most {WIDEST} bits before the point are read: write, say, 'fixed<16,6>'"
        )
    return Fixed(bits, integer, bool(found.signed))


def for_element(form: Fixed) -> Fixed:
    """A configured format as a vector element can have it: of a wider one the integer bits, 6 at most, stay.

    >>> [(form.bits, form.integer) for form in map(for_element, (Fixed(32, 16), Fixed(32, 1)))]
    [(16, 6), (16, 1)]
    """
    if form.bits <= ELEMENT_BITS:
        return form
    return Fixed(ELEMENT_BITS, min(form.integer, WIDE_INTEGER), form.signed)


def described(asked: Fixed) -> str:
    """What a vector element has for a configured format, for the summary.

    >>> described(Fixed(32, 16))
    'fixed<16,6> for fixed<32,16> of the configuration'
    """
    form = for_element(asked)
    return f"{text_of(form)} {'' if form == asked else f'for {text_of(asked)} '}of the configuration"


def text_of(form: Fixed) -> str:
    """A format as hls4ml writes it.

    >>> text_of(Fixed(16, 6))
    'fixed<16,6>'
    """
    return f"{'' if form.signed else 'u'}fixed<{form.bits},{form.integer}>"
