"""Formats that hls4ml's configuration gives to tensors without quantizer."""

from __future__ import annotations

from typing import Any

from ese_host.errors import UnsupportedError
from ese_host.fixed import Fixed

FILLED_IN = "fixed<16,6>"
"""What hls4ml writes as the model's precision where the user gave none: told apart by being plain text."""


def of_layer(node: Any, what: str = "result") -> Fixed | None:
    """The format that the configuration gives to a node's result (or state) by the layer's name or type.

    Raises:
        UnsupportedError: it is no fixed-point format.
    """
    config = node.model.config
    name, kind = node.name.lower(), node.class_name.lower()
    for table, owner in ((config.layer_name_precision, name), (config.layer_type_precision, kind)):
        for key in (f"{owner}_{what}", f"{owner}_default"):
            if table.get(key) not in (None, "auto"):
                return _fixed(config, table[key], f"hls_config: Precision of {node.name!r}")
    return None


def of_model(node: Any) -> Fixed | None:
    """The model's default format, where the user gave one: `config_from_keras_model` does.

    Raises:
        UnsupportedError: it is no fixed-point format.
    """
    config = node.model.config
    found = config.model_precision.get("result") or config.model_precision.get("default")
    given = config.config["HLSConfig"].get("Model", {}).get("Precision")
    if found in (None, "auto") or given == FILLED_IN:
        return None
    return _fixed(config, found, "hls_config['Model']['Precision']")


def _fixed(config: Any, text: Any, where: str) -> Fixed:
    from hls4ml.model.types import FixedPrecisionType, IntegerPrecisionType  # not above: hls4ml loads this backend

    found = config.backend.convert_precision_string(text)
    if not isinstance(found, (FixedPrecisionType, IntegerPrecisionType)):
        raise UnsupportedError(f"{where} is {text}; a fixed-point format is allowed: write, say, 'fixed<16,6>'")
    integer = found.width if isinstance(found, IntegerPrecisionType) else found.integer
    return Fixed(found.width, integer, bool(found.signed))


def text_of(form: Fixed) -> str:
    """A format as hls4ml writes it.

    >>> text_of(Fixed(16, 6))
    'fixed<16,6>'
    """
    return f"{'' if form.signed else 'u'}fixed<{form.bits},{form.integer}>"
