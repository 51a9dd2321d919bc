# SPDX-License-Identifier: Apache-2.0
"""Values of ports as bits, by the shape or layout of the port."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Shape
from amaranth.lib import data


class Codec:
    """Turns values of one shape into bits, and bits into values.

    The value of a `data` layout is a dictionary (of a structure) or a list (of an array) of the values of its fields,
    or a number, which is all of its bits.
    """

    def __init__(self, shape: Any) -> None:
        """Look the fields up, once for all values.

        Args:
            shape: a shape of Amaranth, a layout, or a `data.Struct`.
        """
        cast = Shape.cast(shape)
        self.width: int = cast.width
        self._mask: int = (1 << self.width) - 1
        self._sign = 1 << self.width - 1 if cast.signed and self.width else 0
        self._fields: dict[Any, tuple[int, Codec]] | None = None
        try:
            layout = data.Layout.cast(shape)
        except TypeError:
            return
        self._is_list = isinstance(layout, data.ArrayLayout)
        self._fields = {key: (field.offset, Codec(field.shape)) for key, field in layout}

    def pack(self, value: Any) -> int:
        """The bits of a value; fields that a dictionary does not name are zero."""
        if self._fields is None:
            return int(value) & self._mask
        if isinstance(value, int):
            return int(value) & self._mask
        bits = 0
        for key, part in value.items() if isinstance(value, Mapping) else enumerate(value):
            offset, codec = self._fields[key]
            bits |= codec.pack(part) << offset
        return bits

    def unpack(self, bits: int) -> Any:
        """Inverse of `pack`; higher bits are ignored."""
        if self._fields is None:
            bits &= self._mask
            return bits - 2 * self._sign if bits & self._sign else bits
        parts = {key: codec.unpack(bits >> offset) for key, (offset, codec) in self._fields.items()}
        return list(parts.values()) if self._is_list else parts
