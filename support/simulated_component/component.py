"""A component and the clocks that it is stepped through."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import Shape
from amaranth.lib import wiring

from support.simulated_component.packing import pack, unpack
from support.simulated_component.verilated import compiled, words


class SimulatedComponent:
    """A component in simulation. It starts in its reset state and keeps its state from one call to the next.

    A port is named by its path, joined by "__", as in Verilog. The value of a port with a `data` layout is a dictionary
    (of a structure) or a list (of an array) of the values of its fields.
    """

    def __init__(self, component: wiring.Component) -> None:
        """Compile the component, unless an equal one was compiled before.

        Args:
            component: the component; its clock is the domain `sync`.
        """
        ports = [
            ("__".join(map(str, path)), member.flow == wiring.In, value)
            for path, member, value in component.signature.flatten(component)
        ]
        self._inputs = [(name, value.shape()) for name, is_input, value in ports if is_input]
        self._outputs = [(name, value.shape()) for name, is_input, value in ports if not is_input]
        library = compiled(rtlil.convert(component, name="top"), _widths(self._inputs), _widths(self._outputs))
        self._library = ctypes.CDLL(str(library))
        self._library.create.restype = ctypes.c_void_p
        self._library.run.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long]
        self._library.destroy.argtypes = [ctypes.c_void_p]
        self._top = self._library.create()

    def __del__(self) -> None:
        if getattr(self, "_top", None):
            self._library.destroy(self._top)

    def run(self, clocks: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Step the component.

        Args:
            clocks: for each clock the values of the input ports; ports that are not named are zero.

        Returns:
            For each clock the values of all output ports in that clock, before the edge that ends it.
        """
        rows = bytearray()
        count = 0
        known = {name for name, _ in self._inputs}
        for count, values in enumerate(clocks, 1):  # noqa: B007
            assert values.keys() <= known, f"no input ports: {values.keys() - known}"
            for name, shape in self._inputs:
                size = 4 * words(Shape.cast(shape).width)
                rows += (pack(shape, values[name]) if name in values else 0).to_bytes(size, "little")
        width = 4 * sum(words(bits) for _, bits in _widths(self._outputs))
        answer = ctypes.create_string_buffer(max(1, width * count))
        self._library.run(self._top, bytes(rows), answer, count)
        raw = answer.raw
        return [self._unpacked(raw[at : at + width]) for at in range(0, width * count, max(width, 1))]

    def step(self, **values: Any) -> dict[str, Any]:
        """Step one clock: the values of the output ports, from those of the input ports."""
        return self.run([values])[0]

    def _unpacked(self, row: bytes) -> dict[str, Any]:
        result, at = {}, 0
        for name, shape in self._outputs:
            size = 4 * words(Shape.cast(shape).width)
            result[name] = unpack(shape, int.from_bytes(row[at : at + size], "little"))
            at += size
        return result


def _widths(ports: list[tuple[str, Any]]) -> tuple[tuple[str, int], ...]:
    return tuple((name, Shape.cast(shape).width) for name, shape in ports)
