"""Formats that hls4ml's configuration sets for inputs, states and outputs without quantizer."""

from __future__ import annotations

from typing import Any

from ese_hls.quantize.precision import WIDEST
from ese_host.errors import UnsupportedError
from ese_host.ir import ELEMENT_BITS, Fixed

WIDE_INTEGER = 6
"""Most integer bits that are kept of a precision too wide for a vector element, as in fixed<16,6>."""


def of_layer(node: Any, what: str = "result") -> Fixed | None:
    """The format that the configuration sets for a layer's `what` (result or state), by its name or type; else None.

    Raises:
        UnsupportedError: if it is not a fixed-point format, or too wide.
    """
    config = node.model.config
    name, kind = node.name.lower(), node.class_name.lower()
    for table, owner in ((config.layer_name_precision, name), (config.layer_type_precision, kind)):
        for key in (f"{owner}_{what}", f"{owner}_default"):
            if table.get(key) not in (None, "auto"):
                return _fixed(config, table[key], f"hls_config: Precision of {node.name!r}")
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


def _fixed(config: Any, text: Any, where: str) -> Fixed:
    """A precision of the configuration as a format of at most 48 bits; `where` names it in messages."""
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


def for_element(form: Fixed) -> Fixed:
    """A configured format, reduced to the 16 bits of a vector element if it is wider; at most 6 integer bits are kept.

    >>> text_of(for_element(Fixed(32, 16))), text_of(for_element(Fixed(32, 1)))
    ('fixed<16,6>', 'fixed<16,1>')
    """
    if form.bits <= ELEMENT_BITS:
        return form
    return Fixed(ELEMENT_BITS, min(form.integer, WIDE_INTEGER), form.signed)


def described(asked: Fixed) -> str:
    """The format of a vector element for a configured format, as the summary says it.

    >>> described(Fixed(32, 16))
    'fixed<16,6> instead of fixed<32,16> of the configuration'
    """
    form = for_element(asked)
    return f"{text_of(form)} {'' if form == asked else f'instead of {text_of(asked)} '}of the configuration"


def text_of(form: Fixed) -> str:
    """A format in hls4ml's notation.

    >>> text_of(Fixed(16, 6))
    'fixed<16,6>'
    """
    return f"{'' if form.signed else 'u'}fixed<{form.bits},{form.integer}>"
