# SPDX-License-Identifier: Apache-2.0
"""The array: all PEs with their vector RAMs, what is shared between them, and the drains."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, EnableInserter, Module, Mux, ResetInserter, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ese_host.ir import GATES
from ese_rtl.array.beat import beat_layout
from ese_rtl.array.drain import Drain
from ese_rtl.array.entries import EntryMemories
from ese_rtl.array.pe import PE, shared_layout
from ese_rtl.pipeline import later
from ese_rtl.records import LoadTarget, load_layout, writes_layout
from ese_rtl.sizes import Sizes
from ese_rtl.skip import SkipFeed, scan_ports
from ese_rtl.vectors import Copies, Window

_FEED_PORTS = {
    "advance": In(1),  # what gives the PEs their entries goes on,
    "abort": In(1),  # or begins anew
}
"""Ports of an array in skip mode, beside those of `scan_ports`."""


class Array(wiring.Component):
    """The PEs run free: what comes in a clock is worked off in the clocks after it.

    Only the drains, one for each element-wise unit, can be held, and in skip mode what gives the PEs their entries.

    Args:
        sizes: of the engine.
        primitive: whether to instantiate DSP48E1s.
    """

    def __init__(self, sizes: Sizes, primitive: bool = False) -> None:
        self._sizes, self._primitive = sizes, primitive
        acc = data.ArrayLayout(signed(sizes.design.acc_bits), sizes.design.acc_banks)
        super().__init__(
            {
                "beat": In(beat_layout(sizes)),
                "writes": In(writes_layout(sizes.column_bits, sizes.elements)),
                "load": In(load_layout(sizes.design)),
                "step": In(1),  # the drains go on
                "drain_set": In(1),
                "dense": In(1),
                "pe": In(sizes.pe_bits),
                "row": In(sizes.row_bits),
                "sums": Out(data.ArrayLayout(data.ArrayLayout(acc, GATES), sizes.units)),
                **(_FEED_PORTS | scan_ports(sizes) if sizes.skips else {}),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """PEs, vector RAMs and drains, and what is shared between them."""
        m = Module()
        sizes = self._sizes
        shared = self._shared(m)
        if sizes.skips:
            feed = self._feed(m)
            m.d.comb += feed.writes.eq(self.writes)
        else:
            vectors = self._window(m) if sizes.design.window else Copies(sizes)
            m.submodules.vectors = vectors
            m.d.comb += vectors.writes.eq(self.writes)
        drains = [Drain(sizes) for _ in range(sizes.units)]
        for u, drain in enumerate(drains):
            m.submodules[f"drain_{u}"] = EnableInserter(self.step)(drain)
            m.d.comb += [
                drain.dense.eq(self.dense),
                drain.pe.eq(self.pe),
                drain.row.eq(self.row),
                self.sums[u].eq(drain.sums),
            ]
        load = later(m, self.load, name="load")
        asked = [entry.address for entry in feed.entries] if sizes.skips else [self.beat.address]
        entries = self._entries(m, load, asked)
        for p in range(sizes.pes):
            m.submodules[f"pe_{p}"] = pe = PE(sizes, self._primitive)
            m.d.comb += [
                pe.shared.eq(shared),
                pe.word2.eq(entries[p // 2].words2[p % 2]),
                pe.book_enable.eq(load.memory == LoadTarget.CODEBOOK),
                pe.book_address.eq(load.address),
                pe.book_data.eq(load.data),
            ]
            if sizes.skips:
                self._execute(m, pe, feed.entries[p], shared)
            else:
                m.d.comb += [
                    vectors.column6[p].eq(pe.column6),
                    pe.a7.eq(vectors.values7[0][p]),
                    pe.b7.eq(vectors.values7[1][p]),
                ]
                if sizes.design.window:
                    m.d.comb += pe.shared.source7.eq(vectors.place7[p])
            number, u = divmod(p, sizes.units)
            m.d.comb += [pe.drain_row.eq(drains[u].rows[number]), drains[u].drained[number].eq(pe.drained)]
        return m

    def _feed(self, m: Module) -> SkipFeed:
        """Skip mode: what gives the PEs their entries. It stands still and begins anew with the core."""
        feed = SkipFeed(self._sizes)
        m.submodules.feed = ResetInserter(self.abort)(EnableInserter(self.advance)(feed))
        inputs = ["load", *(name for name, member in scan_ports(self._sizes).items() if member.flow is wiring.In)]
        m.d.comb += [getattr(feed, name).eq(getattr(self, name)) for name in inputs]
        m.d.comb += self.finished.eq(feed.finished)
        return feed

    def _window(self, m: Module) -> Window:
        """The window, which brings the columns of a matrix to the PEs when their entries need them."""
        window = Window(self._sizes)
        m.d.comb += window.load.eq(self.load)
        m.d.comb += [getattr(window.beat, name).eq(self.beat[name]) for name, _ in window.beat.shape()]
        return window

    def _execute(self, m: Module, pe: PE, entry: Any, shared: Any) -> None:
        """Skip mode: give a PE an entry of its own, in place of the beat's.

        Args:
            m: module that gets the connections.
            pe: the PE.
            entry: what it executes.
            shared: what all PEs get.
        """
        run = entry.run & self.beat.run  # not while the core stands still
        m.d.comb += [
            pe.shared.slot3.eq(later(m, entry.slot, 3, name="slot3")),
            pe.shared.run4.eq(later(m, run, 4, name="run4", reset=True)),
            pe.shared.first4.eq(later(m, entry.first, 4, name="first4") | shared.sweep4),
            pe.shared.source7.eq(0),
            pe.a7.eq(later(m, entry.value, 7, name="value7")),
        ]

    def _entries(self, m: Module, load: Signal, addresses: list[Value]) -> list[EntryMemories]:
        """The entry memories, which are read, or of which a word of LOAD is written.

        Args:
            m: module that gets them.
            load: what is loaded, a clock late.
            addresses: to be read: one of all PEs, or one of each.
        """
        entries, pes = [], self._sizes.pes
        loads = self.load.memory == LoadTarget.ENTRY
        bits = self._sizes.entry_address_bits
        addresses1 = [later(m, Mux(loads, self.load.address, address)[:bits], name="address1") for address in addresses]
        # Registers, so that Yosys does not find out that two PEs are never written at once, and give both one port.
        write1 = later(m, Cat(loads & (self.load.lane == p) for p in range(pes)), name="write1", reset=True)
        for pair in range(self._sizes.pairs):
            m.submodules[f"entries_{pair}"] = memories = EntryMemories(self._sizes)
            m.d.comb += [
                memories.address1.eq(Cat(addresses1[2 * pair : 2 * pair + 2]) if self._sizes.skips else addresses1[0]),
                memories.data1.eq(load.data),
                memories.write1.eq(write1[2 * pair : 2 * pair + 2]),
            ]
            entries.append(memories)
        return entries

    def _shared(self, m: Module) -> Signal:
        """The beat, delayed to the stages at which its parts are used."""
        shared = Signal(shared_layout(self._sizes))
        beats = [self.beat]
        for stage in range(1, 11):
            beats.append(later(m, beats[-1], name=f"beat{stage}", reset=True))
        mask5 = Signal(self._sizes.row_bits, reset_less=True)
        m.d.sync += mask5.eq((1 << beats[4].stride) - 1)
        one_ahead7, two_ahead7 = Signal(reset_less=True), Signal(reset_less=True)
        fills8 = Signal(data.ArrayLayout(1, 2))
        m.d.sync += [
            one_ahead7.eq(beats[6].set == beats[7].set),
            two_ahead7.eq(beats[6].set == beats[8].set),
            *(fills8[s].eq(beats[7].run & (beats[7].set == s)) for s in range(2)),
        ]
        m.d.comb += [
            shared.slot3.eq(beats[3].slot),
            shared.sweep3.eq(beats[3].sweep),
            shared.full3.eq(beats[3].full),
            shared.jump3.eq(beats[3].jump),
            shared.run4.eq(beats[4].run),
            shared.sweep4.eq(beats[4].sweep),
            shared.first4.eq(beats[4].first),
            shared.start4.eq(beats[4].start),
            shared.stride5.eq(beats[5].stride),
            shared.mask5.eq(mask5),
            shared.book6.eq(beats[6].book),
            shared.source7.eq(beats[7].source_ram),
            shared.clear7.eq(beats[7].sweep),
            shared.bank_positive7.eq(beats[7].bank_positive),
            shared.bank_negative7.eq(beats[7].bank_negative),
            shared.one_ahead7.eq(one_ahead7),
            shared.two_ahead7.eq(two_ahead7),
            shared.fills8.eq(fills8),
            shared.set8.eq(beats[8].set),
            shared.clear8.eq(beats[8].sweep),
            shared.set10.eq(beats[10].set),
            shared.clear10.eq(beats[10].sweep),
            shared.drain_set.eq(self.drain_set),
            shared.drain_step.eq(self.step),
        ]
        return shared
