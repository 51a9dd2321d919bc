# SPDX-License-Identifier: Apache-2.0
"""The IP core: its ports, and packets through all of it, with a stand-in for the core that computes."""

from __future__ import annotations

import warnings
import zlib
from typing import Any

import numpy as np
from amaranth.back import rtlil
from amaranth.lib.wiring import In
from amaranth.sim import Simulator
from packet_bench import EchoCore

from ese_host.protocol import (
    OPERATION_BASE,
    REGISTERS,
    START,
    TRAILER_WORDS,
    ErrorCode,
    Words,
    read_trailer,
    reset_packet,
)
from ese_rtl.top import NAME, Top
from support.core_stand_in.core import PORTS
from support.designs import roomy

DESIGN = roomy("keras-lstm")[1]
PACKETS = {
    (OPERATION_BASE | 3,): ErrorCode.OK,
    (OPERATION_BASE | 3, 1): ErrorCode.LONG_PACKET,
    (OPERATION_BASE | 2, 0, 1, 1, 1, 5): ErrorCode.NO_IMAGE,
    (OPERATION_BASE | 2, 0): ErrorCode.SHORT_PACKET,
    (OPERATION_BASE | 1, 16, *range(16)): ErrorCode.BAD_HEADER,
    (7, 8, 9): ErrorCode.BAD_OPERATION,
}


class Surroundings:
    """What is around the core: a clock, two streams and the processor's bus."""

    def __init__(self, ctx: Any, top: Top, rng: np.random.Generator) -> None:
        self._ctx, self._top, self._rng = ctx, top, rng
        self.words: list[tuple[int, bool]] = []
        self.answers: list[Words] = []
        self._partial: list[int] = []

    def set(self, name: str, value: int) -> None:
        self._ctx.set(getattr(self._top, name), value)

    def get(self, name: str) -> int:
        return int(self._ctx.get(getattr(self._top, name)))

    async def clock(self) -> None:
        """One clock, in which each stream may stall."""
        sends, takes = bool(self.words) and self._rng.random() < 0.7, self._rng.random() < 0.7
        self.set("in_r_TVALID", sends)
        self.set("in_r_TDATA", self.words[0][0] if sends else 0)
        self.set("in_r_TLAST", self.words[0][1] if sends else 0)
        self.set("out_r_TREADY", takes)
        await self._ctx.delay(1e-6)
        if sends and self.get("in_r_TREADY"):
            del self.words[0]
        if takes and self.get("out_r_TVALID"):
            assert (self.get("out_r_TKEEP"), self.get("out_r_TSTRB")) == (15, 15)
            self._partial.append(self.get("out_r_TDATA"))
            if self.get("out_r_TLAST"):
                self.answers.append(np.array(self._partial, dtype=np.uint32))
                self._partial = []
        self.set("ap_clk", 1)
        await self._ctx.delay(1e-6)
        self.set("ap_clk", 0)

    async def write(self, offset: int, value: int) -> None:
        for channel, name, content in (("AW", "AWADDR", offset), ("W", "WDATA", value)):
            self.set(f"s_axi_control_{name}", content)
            self.set(f"s_axi_control_{channel}VALID", 1)
        self.set("s_axi_control_WSTRB", 15)
        self.set("s_axi_control_BREADY", 1)
        await self.clock()
        self.set("s_axi_control_AWVALID", 0)
        self.set("s_axi_control_WVALID", 0)
        while not self.get("s_axi_control_BVALID"):
            await self.clock()
        await self.clock()

    async def read(self, offset: int) -> int:
        self.set("s_axi_control_ARADDR", offset)
        self.set("s_axi_control_ARVALID", 1)
        self.set("s_axi_control_RREADY", 1)
        await self.clock()
        self.set("s_axi_control_ARVALID", 0)
        while not self.get("s_axi_control_RVALID"):
            await self.clock()
        value = self.get("s_axi_control_RDATA")
        await self.clock()
        return value


def test_ports_are_those_of_vitis_hls() -> None:
    top = Top(DESIGN, core=EchoCore())
    ports = top.signature.members
    assert {name: (member.flow, member.shape) for name, member in ports.items()} == {
        name: (member.flow, member.shape) for name, member in PORTS.items()
    }
    assert ports["ap_clk"] == In(1)
    assert f"module \\{NAME}\n" in rtlil.convert(top, name=NAME)


def test_packets_and_registers() -> None:
    top = Top(DESIGN, core=EchoCore())

    async def bench(ctx: Any) -> None:
        board = Surroundings(ctx, top, np.random.default_rng(6))
        for _ in range(3):
            await board.clock()
        board.set("ap_rst_n", 1)
        assert await board.read(REGISTERS["design_id"].offset) == DESIGN.design_id
        for packet in PACKETS:
            board.words += [(word, place == len(packet) - 1) for place, word in enumerate(packet)]
        waiting = len(board.words)
        for _ in range(20):
            await board.clock()
        assert len(board.words) == waiting, "nothing is taken before the start"
        await board.write(0, START)
        for number, error in enumerate(PACKETS.values(), 1):
            while len(board.answers) < number:
                await board.clock()
            answer = board.answers[-1]
            assert len(answer) == TRAILER_WORDS
            assert int(answer[-1]) == zlib.crc32(answer[:-1].astype("<u4").tobytes())
            assert read_trailer(answer).error == error
        for _ in range(20):
            await board.clock()
        assert await board.read(REGISTERS["error"].offset) == error
        await board.write(0, 0)
        board.words.append((int(reset_packet()[0]), True))
        while len(board.answers) == len(PACKETS):
            await board.clock()
        assert await board.read(REGISTERS["error"].offset) == ErrorCode.OK
        assert await board.read(0) & 5 == 4, "idle, and not started again"
        board.set("ap_rst_n", 0)
        await board.clock()
        board.set("ap_rst_n", 1)
        assert await board.read(REGISTERS["design_id"].offset) == DESIGN.design_id
        assert await board.read(REGISTERS["cycles_low"].offset) == 0

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        simulator = Simulator(top)
    simulator.add_testbench(bench)
    simulator.run()
