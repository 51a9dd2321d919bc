# SPDX-License-Identifier: Apache-2.0
"""The AXI4-Lite registers: what each offset reads, and the control register's bits as Vitis HLS defines them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from ese_host.protocol import PROTOCOL_VERSION, REGISTERS, START, TRAILER
from ese_rtl.axi import Registers
from support.designs import roomy

DESIGN = roomy("keras-lstm")[1]
RESULTS = ("image_id", "cycles_low", "cycles_high", "error")
DONE, IDLE, READY, INTERRUPT = 1 << 1, 1 << 2, 1 << 3, 1 << 9


class Host:
    """The processor's side of the bus, in simulation."""

    def __init__(self, ctx: Any, registers: Registers, rng: np.random.Generator | None = None) -> None:
        self._ctx, self._registers, self._bus, self._rng = ctx, registers, registers.bus, rng

    async def _pause(self) -> None:
        for _ in range(self._rng.integers(4) if self._rng else 0):
            await self._ctx.tick()

    async def _send(self, channel: str, **values: int) -> None:
        """Hold `valid` until it is taken."""
        for name, value in values.items():
            self._ctx.set(getattr(self._bus, name), value)
        valid, ready = getattr(self._bus, f"{channel}valid"), getattr(self._bus, f"{channel}ready")
        self._ctx.set(valid, 1)
        while not self._ctx.get(ready):
            await self._ctx.tick()
        await self._ctx.tick()
        self._ctx.set(valid, 0)

    async def _take(self, channel: str) -> None:
        """Wait for `valid`, and take what is there some clocks later."""
        valid, ready = getattr(self._bus, f"{channel}valid"), getattr(self._bus, f"{channel}ready")
        while not self._ctx.get(valid):
            await self._ctx.tick()
        await self._pause()
        assert self._ctx.get(valid), "an answer stays until it is taken"
        self._ctx.set(ready, 1)
        await self._ctx.tick()
        self._ctx.set(ready, 0)

    async def write(self, offset: int, value: int, order: str = "aw w", strobe: int = 0xF) -> None:
        """Write; `order` says which of address and data comes first."""
        for channel in order.split():
            if channel == "aw":
                await self._send("aw", awaddr=offset)
            else:
                await self._send("w", wdata=value, wstrb=strobe)
            await self._pause()
        assert self._ctx.get(self._bus.bresp) == 0
        await self._take("b")

    async def read(self, offset: int) -> int:
        """Read."""
        await self._send("ar", araddr=offset)
        while not self._ctx.get(self._bus.rvalid):
            await self._ctx.tick()
        value = int(self._ctx.get(self._bus.rdata))
        assert self._ctx.get(self._bus.rresp) == 0
        await self._take("r")
        return value

    async def answer(self, trailer: list[int]) -> None:
        """Let a packet be answered."""
        report = self._registers.report
        for place, word in enumerate(trailer):
            self._ctx.set(report, {"valid": 1, "place": place, "data": word})
            await self._ctx.tick()
        self._ctx.set(report, {"valid": 0, "place": 0, "data": 0})
        self._ctx.set(self._registers.answered, 1)
        await self._ctx.tick()
        self._ctx.set(self._registers.answered, 0)
        await self._ctx.tick()


def simulate(body: Callable[[Any, Registers], Coroutine[Any, Any, None]]) -> None:
    registers = Registers(DESIGN)

    async def bench(ctx: Any) -> None:
        await body(ctx, registers)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        simulator = Simulator(registers)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("seed", [None, 0, 1])
def test_results_of_the_last_packet(seed: int | None) -> None:
    async def body(ctx: Any, registers: Registers) -> None:
        host = Host(ctx, registers, None if seed is None else np.random.default_rng(seed))
        assert await host.read(REGISTERS["design_id"].offset) == DESIGN.design_id
        assert await host.read(REGISTERS["version"].offset) == PROTOCOL_VERSION
        for name in RESULTS:
            assert await host.read(REGISTERS[name].offset) == 0
        for packet in range(2):
            trailer = [(0x9E3779B9 * (1 + place + 16 * packet)) % (1 << 32) for place in range(len(TRAILER))]
            await host.answer(trailer)
            for name in RESULTS:
                assert await host.read(REGISTERS[name].offset) == trailer[TRAILER.index(name)]
        assert await host.read(REGISTERS["design_id"].offset) == DESIGN.design_id
        assert await host.read(REGISTERS["version"].offset) == PROTOCOL_VERSION
        used = {register.offset for register in REGISTERS.values()} | {0x04, 0x08, 0x0C}
        for offset in set(range(0, 128, 4)) - used:
            assert await host.read(offset) == 0

    simulate(body)


@pytest.mark.parametrize("order", ["aw w", "w aw"])
def test_one_packet_is_started(order: str) -> None:
    async def body(ctx: Any, registers: Registers) -> None:
        host = Host(ctx, registers, np.random.default_rng(2))
        ctx.set(registers.idle, 1)
        assert await host.read(0) == IDLE
        await host.write(0, 1, order, strobe=0xE)
        assert not ctx.get(registers.started), "the byte that starts was not written"
        await host.write(0x10, 1, order)
        assert not ctx.get(registers.started), "another register was written"
        await host.write(0, 1, order)
        assert ctx.get(registers.started)
        ctx.set(registers.idle, 0)
        assert await host.read(0) == 1
        await host.answer([0] * len(TRAILER))
        ctx.set(registers.idle, 1)
        assert not ctx.get(registers.started)
        assert await host.read(0) == DONE | IDLE | READY
        assert await host.read(0) == IDLE

    simulate(body)


def test_start_is_repeated() -> None:
    async def body(ctx: Any, registers: Registers) -> None:
        host = Host(ctx, registers)
        await host.write(0, START)
        for _ in range(3):
            assert await host.read(0) == START
            await host.answer([0] * len(TRAILER))
        await host.write(0, 0)
        assert ctx.get(registers.started), "the packet under way is still answered"
        await host.answer([0] * len(TRAILER))
        assert await host.read(0) == DONE | READY

    simulate(body)


def test_interrupt() -> None:
    async def body(ctx: Any, registers: Registers) -> None:
        host = Host(ctx, registers)
        for enabled, sources in ((0, 3), (1, 0), (1, 1), (1, 2), (1, 3)):
            await host.write(4, enabled)
            await host.write(8, sources)
            assert (await host.read(4), await host.read(8)) == (enabled, sources)
            await host.answer([0] * len(TRAILER))
            assert await host.read(0xC) == sources
            assert ctx.get(registers.interrupt) == bool(enabled and sources)
            assert bool(await host.read(0) & INTERRUPT) == bool(enabled and sources)
            await host.write(0xC, sources)
            assert await host.read(0xC) == 0
            assert not ctx.get(registers.interrupt)

    simulate(body)
