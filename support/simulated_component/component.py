# SPDX-License-Identifier: Apache-2.0
"""A component and the clocks that it is stepped through."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping
from typing import Any

from amaranth.back import rtlil
from amaranth.lib import wiring

from support.simulated_component.packing import Codec
from support.simulated_component.verilated import compiled, words


class SimulatedComponent:
    """A component in simulation. It starts in its reset state and keeps its state from one call to the next.

    A port is named by its path, joined by "__", as in Verilog; `Codec` says what the values of a port are.
    """

    def __init__(self, component: wiring.Component, optimize: bool = True) -> None:
        """Compile the component, unless an equal one was compiled before.

        Args:
            component: the component; its clock is the domain `sync`.
            optimize: whether g++ optimizes, which pays for simulations of more than some ten thousand clocks.
        """
        ports = [
            ("__".join(map(str, path)), member.flow == wiring.In, value)
            for path, member, value in component.signature.flatten(component)
        ]
        self._inputs = [(name, Codec(value.shape())) for name, is_input, value in ports if is_input]
        self._outputs = [(name, Codec(value.shape())) for name, is_input, value in ports if not is_input]
        source = rtlil.convert(component, name="top")
        library = compiled(source, _widths(self._inputs), _widths(self._outputs), optimize)
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
            for name, codec in self._inputs:
                bits = codec.pack(values[name]) if name in values else 0
                rows += bits.to_bytes(4 * words(codec.width), "little")
        width = 4 * sum(words(codec.width) for _, codec in self._outputs)
        answer = ctypes.create_string_buffer(max(1, width * count))
        self._library.run(self._top, bytes(rows), answer, count)
        raw = answer.raw
        return [self._unpacked(raw[at : at + width]) for at in range(0, width * count, max(width, 1))]

    def step(self, **values: Any) -> dict[str, Any]:
        """Step one clock: the values of the output ports, from those of the input ports."""
        return self.run([values])[0]

    def _unpacked(self, row: bytes) -> dict[str, Any]:
        result, at = {}, 0
        for name, codec in self._outputs:
            end = at + 4 * words(codec.width)
            result[name] = codec.unpack(int.from_bytes(row[at:end], "little"))
            at = end
        return result


def _widths(ports: list[tuple[str, Codec]]) -> tuple[tuple[str, int], ...]:
    return tuple((name, codec.width) for name, codec in ports)
