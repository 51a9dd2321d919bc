# SPDX-License-Identifier: Apache-2.0
"""Whether an image in skip mode stores the column pointers that its phases use, and the entries that these name."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from ese_host.image import FIELDS, RAM_BITS, Design
from ese_rtl.pipeline import later
from ese_rtl.records import LoadTarget, load_layout
from ese_rtl.skip import COLUMN_BITS


class ScanCheck(wiring.Component):
    """Watches how LOAD writes phase records and column pointers.

    The columns of a phase must have pointers, and one more must end the last of them. The pointers of a PE must not
    descend, and must name slots of words that the image stores, or the first slot behind these.

    Attributes:
        begin: forget what earlier images did.
        load: the writes of LOAD.
        entry_words: entry words that the image stores.
        pointers: column pointers that it stores for each PE.
        inside: whether all that was written until now is sound; valid four clocks after the last write and later.
    """

    def __init__(self, design: Design) -> None:
        """Make the check of a design."""
        self._design = design
        super().__init__(
            {
                "begin": In(1),
                "load": In(load_layout(design)),
                "entry_words": In(16),
                "pointers": In(COLUMN_BITS),
                "inside": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """The circuit."""
        m = Module()
        load = self.load
        first, columns = (FIELDS[name] for name in ("pointer_base", "columns"))
        last = Signal(COLUMN_BITS + 1, reset_less=True)  # the pointer behind the phase's last column
        phase_comes = later(
            m, (load.memory == LoadTarget.PHASE) & (load.lane == first.word), name="phase_comes", reset=True
        )
        m.d.sync += last.eq(
            load.data[first.low : first.low + first.width] + load.data[columns.low : columns.low + columns.width]
        )
        wrong = Signal(3)
        m.d.sync += wrong[0].eq(phase_comes & (last >= self.pointers))
        self._pointers(m, wrong)
        with m.If(wrong.any()):
            m.d.sync += self.inside.eq(0)
        with m.If(self.begin):
            m.d.sync += self.inside.eq(1)
        return m

    def _pointers(self, m: Module, wrong: Signal) -> None:
        """The pointer before, of each PE, and what is wrong with one."""
        load, widths = self.load, self._design.widths
        m.submodules.before = before = memory.Memory(shape=RAM_BITS, depth=self._design.pes, init=[])
        before.attrs["ram_style"] = "distributed"
        write, read = before.write_port(), before.read_port(domain="comb")
        comes = load.memory == LoadTarget.POINTER
        pointer = load.data[:RAM_BITS]
        m.d.comb += [
            write.en.eq(comes),
            write.addr.eq(load.lane),
            write.data.eq(pointer),
            read.addr.eq(load.lane),
        ]
        comes1 = later(m, comes, name="comes1", reset=True)
        pointer1 = later(m, pointer, name="pointer1")
        before1 = Signal(RAM_BITS, reset_less=True)
        m.d.sync += before1.eq(Mux(load.address == 0, 0, read.data))
        slot, word = pointer1[: widths.slot_bits], pointer1[widths.slot_bits :]
        beyond, at_end = word > self.entry_words, word == self.entry_words
        m.d.sync += [
            wrong[1].eq(comes1 & (pointer1 < before1)),
            wrong[2].eq(comes1 & (beyond | (at_end & slot.any()) | (slot >= widths.per_word(widths.full_phases)))),
        ]
