# SPDX-License-Identifier: Apache-2.0
"""A component, the inputs that it may get, and what is claimed of it."""

from __future__ import annotations

from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import Module, ResetInserter, Shape, Signal, Value
from amaranth.lib import wiring

GIVEN, HOLD = "given", "hold"
TOP = "proof"


def port_name(kind: str, name: str) -> str:
    """Name of the port that shows whether something is true.

    Args:
        kind: "claim" or "happens".
        name: of the claim or the situation.
    """
    return f"{kind}_{name}".replace(" ", "_")


class Claims:
    """Claims about components whose inputs may do anything that is not excluded.

    Attributes:
        m: the module around the components, for registers that a claim needs.
        always: the claims by name: each is true in every clock.
        happens: situations that must be possible, by name, so that no claim holds for want of one.
    """

    def __init__(self) -> None:
        self.m = Module()
        self.always: dict[str, Value] = {}
        self.happens: dict[str, Value] = {}
        self._given: list[Value] = []
        self._ports: list[Signal] = []

    def free(self, name: str, shape: Any = 1) -> Signal:
        """An input that may be anything in any clock."""
        signal = Signal(shape, name=name)
        self._ports.append(Value.cast(signal))
        return signal

    def show(self, name: str, value: Any) -> None:
        """Let counterexamples show a value."""
        value = Value.cast(value)
        shown = Signal(Shape(len(value)), name=name)
        self.m.d.comb += shown.eq(value)
        self._ports.append(shown)

    def part(self, name: str, component: Any, reset: Value | None = None, **connected: Any) -> Any:
        """Add a component. Its inputs are free but for those that are connected; counterexamples show its ports.

        Args:
            name: of the component.
            component: the component.
            reset: when it starts anew, in place of never.
            connected: values of inputs by name; `__` stands between the parts of a name.
        """
        self.m.submodules[name] = component if reset is None else ResetInserter(reset)(component)
        for path, member, port in component.signature.flatten(component):
            label = "__".join(map(str, path))
            value = Value.cast(port)
            if member.flow is wiring.Out:
                self.show(f"{name}.{label}", value)
                continue
            source = connected.pop(label, None)
            if source is None:
                source = self.free(f"{name}.{label}", Shape(len(value), signed=value.shape().signed))
            self.m.d.comb += value.eq(source)
        assert not connected, f"no inputs of {name}: {sorted(connected)}"
        return component

    def before(self, value: Any, name: str, at_first: int = 0) -> Signal:
        """The value that something had in the clock before.

        Args:
            value: the value.
            name: of the register that keeps it.
            at_first: what it is in the first clock.
        """
        value = Value.cast(value)
        kept = Signal(Shape(len(value)), name=name.replace(" ", "_"), init=at_first)
        self.m.d.sync += kept.eq(value)
        return kept

    def stands_still(self, name: str, stream: Any) -> None:
        """Claim that a word of a stream, once offered, stays there and stays the same until it is taken."""
        held = self.before(stream.valid & ~stream.ready, f"{name} held")
        word = self.before(stream.payload, f"{name} word")
        self.always[name] = ~held | (stream.valid & (Value.cast(stream.payload) == word))
        self.happens[f"{name} waits"] = held

    def given(self, value: Value) -> None:
        """Exclude all clocks in which a value is false."""
        self._given.append(value.bool())

    def circuit(self) -> str:
        """The components in RTLIL, with an output for each claim; to be called once."""
        hold = Value.cast(1)
        for kind, claims in (("claim", self.always), ("happens", self.happens)):
            for name, value in claims.items():
                self.show(port_name(kind, name), value.bool())
        for value in self.always.values():
            hold &= value.bool()
        given = Value.cast(1)
        for value in self._given:
            given &= value
        self.show(HOLD, hold)
        self.show(GIVEN, given)
        text: str = rtlil.convert(self.m, name=TOP, ports=self._ports, emit_src=False)
        return text
