# SPDX-License-Identifier: Apache-2.0
"""The packet part of the RTL engine in simulation, with a stand-in for the core that echoes the words of its frames."""
# Annotations of components are their ports, so that they must not be postponed.

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import fifo, wiring
from amaranth.lib.wiring import In, Out

from ese_host.image import Design
from ese_host.protocol import Words
from ese_rtl.packet import WORD, Packets
from ese_rtl.packet.packets import STEP_BITS
from ese_rtl.records import Header, load_layout
from support.designs import roomy
from support.simulated_component import SimulatedComponent

FORGET_CLOCKS = 5
STALL_IN, STALL_OUT, STALL_CORE, STOPPED = 1, 2, 4, 8
"""Bits that hold back the packet's words, the answer's, the core's frames, and the start of a packet."""
NARROW = roomy("one-pe", cells_per_cycle=1)[1]
"""A design whose LOAD writes are as narrow as any: entry words of 18 bits, no more than 128 PEs."""


class EchoCore(wiring.Component):
    """A core whose outputs are a word with `steps`, `zero` and `trace`, and then the words of all frames.

    A word may leave only two clocks after it was taken, and nothing is taken or given while `stall` is high.
    """

    stall: In(1)
    load: In(load_layout(NARROW))
    header: In(Header)
    start: In(1)
    zero: In(1)
    steps: In(STEP_BITS)
    trace: In(1)
    done: Out(1)
    counting: Out(1)
    frames: In(WORD)
    abort: In(1)
    results: Out(WORD)
    forget: In(1)
    forgotten: Out(1)

    def elaborate(self, _platform: object) -> Module:
        """The circuit."""
        m = Module()
        left, step_left = Signal(15), Signal(STEP_BITS)
        held, busy, full = Signal(32), Signal(), Signal()
        taking = busy & ~full & (step_left != 0) & ~self.stall
        m.d.comb += [
            self.frames.ready.eq(taking),
            self.results.payload.eq(held),
            self.results.valid.eq(full & ~self.stall),
            self.counting.eq(busy),
        ]
        m.d.sync += self.done.eq(0)
        with m.If(self.results.valid & self.results.ready):
            m.d.sync += full.eq(0)
        with m.If(taking & self.frames.valid):
            m.d.sync += [held.eq(self.frames.payload), full.eq(1), left.eq(left - 1)]
            with m.If(left == 1):
                m.d.sync += [left.eq((self.header.inputs + 1) >> 1), step_left.eq(step_left - 1)]
        with m.If(busy & (step_left == 0) & ~full | self.abort):
            m.d.sync += [busy.eq(0), self.done.eq(1), full.eq(0)]
        with m.If(self.start):
            m.d.sync += [
                busy.eq(1),
                full.eq(1),
                left.eq((self.header.inputs + 1) >> 1),
                step_left.eq(self.steps),
                held.eq(Cat(self.steps, self.zero, self.trace)),
            ]
        wait = Signal(range(FORGET_CLOCKS + 1))
        m.d.sync += self.forgotten.eq(wait == 1)
        with m.If(self.forget):
            m.d.sync += wait.eq(FORGET_CLOCKS)
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        return m


class Bench(wiring.Component):
    """Packets and core between a queue of words to send, and what leaves in each clock."""

    def __init__(self, design: Design, depth: int) -> None:
        self._packets = Packets(design)
        self._depth = depth
        load_bits = load_layout(design).size
        super().__init__({"send": In(34), "hold": In(4), "leaves": Out(34), "load": Out(load_bits), "flags": Out(2)})

    def elaborate(self, _platform: object) -> Module:
        """The circuit."""
        m = Module()
        m.submodules.packets = packets = self._packets
        m.submodules.core = core = EchoCore()
        m.submodules.queue = queue = fifo.SyncFIFOBuffered(width=33, depth=self._depth)
        m.d.comb += [core.trace.eq(packets.trace), core.abort.eq(packets.abort)]
        for name in ("start", "zero", "steps", "forget", "header"):
            m.d.comb += getattr(core, name).eq(getattr(packets, name))
        for name in ("done", "counting", "forgotten"):
            m.d.comb += getattr(packets, name).eq(getattr(core, name))
        wiring.connect(m, packets.frames, core.frames)
        wiring.connect(m, core.results, packets.results)
        stall_in, stall_out, stall_core, stopped = self.hold
        m.d.comb += [
            queue.w_en.eq(self.send[33]),
            queue.w_data.eq(self.send),
            packets.words.payload.eq(queue.r_data),
            packets.words.valid.eq(queue.r_rdy & ~stall_in),
            queue.r_en.eq(packets.words.ready & ~stall_in),
            packets.answer.ready.eq(~stall_out),
            core.stall.eq(stall_core),
            packets.started.eq(~stopped),
            self.leaves.eq(Cat(packets.answer.payload, packets.answer.valid & ~stall_out)),
            self.load.eq(packets.load),
            self.flags.eq(Cat(packets.idle, packets.answered)),
        ]
        return m


@dataclass
class Clocks:
    """Signals of a simulated stretch of clocks.

    Attributes:
        answers: the answers that were completed.
        loads: (writes,) the writes of LOAD, as integers.
        flags: (clocks,) bits for idle and answered.
    """

    answers: list[Words]
    loads: list[int]
    flags: npt.NDArray[np.uint32]


class PacketBench:
    """Sends packets to the simulated part, with or without stalls."""

    def __init__(self, design: Design, depth: int = 1 << 12) -> None:
        self._simulated = SimulatedComponent(Bench(design, depth))
        load_bits = load_layout(design).size
        self._columns = 2 + -(-load_bits // 32) + 1
        self._partial: list[int] = []
        self._depth = depth

    def clocks(self, words: npt.NDArray[np.uint64], holds: npt.NDArray[np.uint32]) -> Clocks:
        """Simulate.

        Args:
            words: (n,) words to send, with bit 32 at ends of packets; they are queued one in each clock.
            holds: (clocks,) bits that hold back something in a clock.
        """
        rows = np.zeros((len(holds), 3), dtype=np.uint32)
        rows[: len(words), 0] = words & np.uint64(0xFFFFFFFF)
        rows[: len(words), 1] = 2 | words >> np.uint64(32)
        rows[:, 2] = holds
        seen = np.zeros((len(holds), self._columns), dtype=np.uint32)
        self._simulated._library.run(self._simulated._top, rows.ctypes.data, seen.ctypes.data, len(rows))
        result = Clocks([], [], seen[:, -1])
        for data, marks in seen[seen[:, 1] & 2 != 0, :2].tolist():
            self._partial.append(data)
            if marks & 1:
                result.answers.append(np.array(self._partial, dtype=np.uint32))
                self._partial = []
        loads = seen[:, 2:-1]
        for row in loads[loads[:, 0] & 7 != 0]:
            result.loads.append(int.from_bytes(row.astype("<u4").tobytes(), "little"))
        return result

    def answers(self, packets: list[Words], stalls: np.random.Generator | None = None) -> Clocks:
        """Send packets back to back, and simulate until all have been answered.

        Args:
            packets: the packets.
            stalls: source of random stalls on all sides.

        Raises:
            AssertionError: if an answer is missing after many more clocks than are needed.
        """
        result = Clocks([], [], np.zeros(0, dtype=np.uint32))
        rest = list(packets)
        while rest:
            group = [rest.pop(0)]
            while rest and sum(map(len, group)) + len(rest[0]) <= self._depth:
                group.append(rest.pop(0))
            marked = [packet.astype(np.uint64) for packet in group]
            for packet in marked:
                packet[-1] |= np.uint64(1 << 32)
            words = np.concatenate(marked)
            part = self.clocks(words, _holds(stalls, 3 * len(words) + 100 * len(group) + 1000))
            assert len(part.answers) == len(group) and not self._partial, (len(part.answers), len(group))
            result.answers += part.answers
            result.loads += part.loads
        return result


@functools.cache
def packet_bench(name: str) -> PacketBench:
    """The bench of a design of `support.designs`, compiled once."""
    return PacketBench(roomy(name)[1])


def _holds(stalls: np.random.Generator | None, clocks: int) -> npt.NDArray[np.uint32]:
    """For each clock, what is held back: stretches of rare and of frequent stalls."""
    if stalls is None:
        return np.zeros(clocks, dtype=np.uint32)
    clocks *= 3
    often = stalls.choice([0.02, 0.3, 0.6], (-(-clocks // 256), 3))
    bits = stalls.random((clocks, 3)) < np.repeat(often, 256, axis=0)[:clocks]
    holds: npt.NDArray[np.uint32] = (bits @ np.array([STALL_IN, STALL_OUT, STALL_CORE])).astype(np.uint32)
    return holds
