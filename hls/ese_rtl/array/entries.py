# SPDX-License-Identifier: Apache-2.0
"""The entry memories of two PEs. What does not fill a block RAM of its own lies in one that the two share."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ese_host.estimate import shared_words
from ese_rtl.pipeline import later
from ese_rtl.sizes import Sizes


class EntryMemories(wiring.Component):
    """Two memories, of which each gives a word one clock after its address.

    In stream mode both have the same address, in skip mode each has its own.

    A PE has one port of its memory, through which entries are loaded too: no PE reads while an image is loaded.

    Args:
        sizes: of the engine.
    """

    def __init__(self, sizes: Sizes) -> None:
        self._design, self._skips = sizes.design, sizes.skips
        self._shared = shared_words(self._design.entry_depth, self._design.widths.word_bits)
        word = self._design.widths.word_bits
        address = sizes.entry_address_bits
        super().__init__(
            {
                "address1": In(data.ArrayLayout(address, 2) if sizes.skips else address),
                "write1": In(2),  # `data1` goes to this memory
                "data1": In(word),
                "words2": Out(data.ArrayLayout(word, 2)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """The block RAMs, and the choice between the two that hold the words of a PE."""
        m = Module()
        own = self._design.entry_depth - self._shared
        addresses1 = [self.address1[number] for number in range(2)] if self._skips else [self.address1]
        # the word lies in the shared block RAM
        behinds1 = [address1 >= own if self._shared else Const(0, 1) for address1 in addresses1]
        if self._shared:
            each = ceil_log2(self._shared)
            m.submodules.shared = shared = Memory(
                shape=self._design.widths.word_bits, depth=2 << each, init=[], attrs={"ram_style": "block"}
            )
        behinds2 = [later(m, behind1, name="behind2") for behind1 in behinds1]
        for number in range(2):
            address1, behind1, behind2 = (each[number % len(each)] for each in (addresses1, behinds1, behinds2))
            words: list[Value] = []
            if own:
                m.submodules[f"own_{number}"] = memory = Memory(
                    shape=self._design.widths.word_bits, depth=own, init=[], attrs={"ram_style": "block"}
                )
                words.append(self._port(m, memory, address1, self.write1[number] & ~behind1))
            if self._shared:
                address = Cat(address1[:each], Const(number, 1))
                words.append(self._port(m, shared, address, self.write1[number] & behind1))
            m.d.comb += self.words2[number].eq(Mux(behind2, words[-1], words[0]))
        return m

    def _port(self, m: Module, memory: Memory, address: Value, enable: Value) -> Signal:
        """The word behind a port that reads and writes.

        Args:
            m: module that gets the connections.
            memory: whose port it is.
            address: of the word.
            enable: whether it is written.
        """
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [
            write.en.eq(enable),
            write.addr.eq(address),
            write.data.eq(self.data1),
            read.addr.eq(address),
        ]
        return read.data
