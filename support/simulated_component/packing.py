"""Values of ports as bits, by the shape or layout of the port."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from amaranth.hdl import Shape
from amaranth.lib import data


def pack(shape: Any, value: Any) -> int:
    """The bits of a value of a shape or of a `data` layout."""
    layout = _layout(shape)
    if layout is not None and not isinstance(value, int | np.integer):
        pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
        bits = 0
        for key, part in pairs:
            field = layout[key]
            bits |= pack(field.shape, part) << field.offset
        return bits
    width: int = Shape.cast(shape).width
    return int(value) & ((1 << width) - 1)


def unpack(shape: Any, bits: int) -> Any:
    """Inverse of `pack`."""
    layout = _layout(shape)
    if layout is not None:
        parts = {key: unpack(field.shape, bits >> field.offset) for key, field in layout}
        return list(parts.values()) if isinstance(layout, data.ArrayLayout) else parts
    cast = Shape.cast(shape)
    bits &= (1 << cast.width) - 1
    return bits - ((bits >> (cast.width - 1)) << cast.width) if cast.signed and cast.width else bits


def _layout(shape: Any) -> data.Layout | None:
    try:
        return data.Layout.cast(shape)
    except TypeError:
        return None
