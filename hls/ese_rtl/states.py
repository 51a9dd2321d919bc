# SPDX-License-Identifier: Apache-2.0
"""A state machine with one register for each state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from amaranth.hdl import Module, Signal


class States:
    """A state machine with one register for each state.

    Amaranth's own numbers the states, so that every decision begins with decoding a number; this one needs less logic
    between registers. The first state is that after reset.
    """

    def __init__(self, m: Module, names: tuple[str, ...]) -> None:
        """Add the registers of the states to a module."""
        self._m = m
        self._current = ""
        self._is = {name: Signal(init=not number, name=f"is_{name}") for number, name in enumerate(names)}
        self._enter = {name: Signal(name=f"enter_{name}") for name in names}
        self._leave = {name: Signal(name=f"leave_{name}") for name in names}
        for name in names:
            m.d.sync += self._is[name].eq(self._enter[name] | self._is[name] & ~self._leave[name])

    @contextmanager
    def state(self, name: str) -> Iterator[None]:
        """Describe what happens in a state."""
        self._current = name
        with self._m.If(self._is[name]):
            yield

    def within(self, name: str) -> Signal:
        """Whether the machine is in a state."""
        return self._is[name]

    def go(self, name: str) -> None:
        """Leave the state that is being described, for another one."""
        self._m.d.comb += [self._leave[self._current].eq(1), self._enter[name].eq(1)]
