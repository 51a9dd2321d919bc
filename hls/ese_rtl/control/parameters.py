# SPDX-License-Identifier: Apache-2.0
"""Scales, biases, peepholes, c or a GRU's h, and the tanh table: what the element-wise unit reads beside the sums."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from ese_host.image import CONSTANT_BITS, RAM_BITS
from ese_host.ir import GATES
from ese_rtl.array import DRAIN_LATENCY
from ese_rtl.control.phase_table import phase_layout
from ese_rtl.pipeline import later
from ese_rtl.records import LoadTarget, item_layout, load_layout
from ese_rtl.sizes import Sizes

READ = 2
"""Ticks from an address to the value behind the memory's output register."""
BIAS_LANE = 7
FEW_BITS, FEW_DEPTHS = 2, (1024, 2048)
"""Bits of a word, and depths of a memory, for which LUTs are cheaper than a block RAM."""


class Parameters(wiring.Component):
    """The memories of a unit, and what they hold for the item whose sums its drain gives in the same tick.

    Of what LOAD writes, item or cell j is the unit's if j mod U is its number, and stands at address j div U.

    Args:
        sizes: of the engine.
        unit: number of the unit.
    """

    def __init__(self, sizes: Sizes, unit: int = 0) -> None:
        self._sizes, self._unit = sizes, unit
        self._unit_bits = exact_log2(sizes.units)
        design = sizes.design
        super().__init__(
            {
                "load": In(load_layout(design)),
                "launch": In(1),
                "phase": In(phase_layout(sizes)),  # whose stage is launched
                "dense": In(1),
                "zero": In(1),  # c is zero
                "step": In(1),  # this clock is a tick
                "valid": In(1),  # an item, `DRAIN_LATENCY` ticks before its parameters are given
                "pair": In(1),
                "item": Out(item_layout(design)),  # but for its sums
                "cell_valid": In(1),
                "cell_new": In(signed(CONSTANT_BITS)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """Valid bits follow the drain; addresses are counted, not carried along."""
        m = Module()
        with m.If(self.step):
            read_valid = later(m, self.valid, DRAIN_LATENCY - READ, name="read_valid", reset=True)
            read_pair = later(m, self.pair, DRAIN_LATENCY - READ, name="read_pair")
            valid = later(m, read_valid, READ, name="valid", reset=True)
            pair = later(m, read_pair, READ, name="pair")
        m.d.comb += [self.item.valid.eq(valid), self.item.pair.eq(pair)]
        self._scales(m, read_valid, read_pair)
        self._cells(m, read_valid)
        return m

    def _loads(self, target: Any) -> Value:
        """Whether LOAD writes to one of the unit's memories.

        Args:
            target: the memory.
        """
        mine = self.load.address[: self._unit_bits] == self._unit if self._unit_bits else Const(1, 1)
        return (self.load.memory == target) & mine

    def _word(self, m: Module, memory: Memory, address: Value) -> Value:
        """A word of a memory, a tick after its address."""
        read = memory.read_port()
        m.d.comb += [read.addr.eq(address), read.en.eq(self.step)]
        return read.data

    def _read(self, m: Module, memory: Memory, address: Value) -> Value:
        """A word of a memory, `READ` ticks after its address."""
        word = self._word(m, memory, address)
        with m.If(self.step):
            return later(m, word, name="value")

    def _scales(self, m: Module, valid: Value, pair: Value) -> None:
        """Scales and biases. An LSTM cell takes all four rows of a place, rows of other matrices one each."""
        design, item = self._sizes.design, self.item
        banks = design.acc_banks
        place, row = Signal(ceil_log2(design.param_depth)), Signal(ceil_log2(GATES))
        with m.If(self.step & valid):
            m.d.sync += row.eq(Mux(self.dense, row + 1 + pair, 0))
            m.d.sync += place.eq(place + (~self.dense | ((row | pair) == GATES - 1)))
        with m.If(self.launch):
            m.d.sync += [place.eq(self.phase.param_base), row.eq(0)]
        word = self._item_word(m, place)
        width = CONSTANT_BITS * (banks + 1)
        columns = [word[width * column : width * (column + 1)] for column in range(GATES)]
        with m.If(self.step):
            chosen = later(m, row, READ, name="chosen")
        for lane in range(GATES):
            mine = columns[lane]
            if lane < 2:
                others = [columns[column] for column in range(GATES)]
                odd = chosen | 1 if lane else chosen
                dense = Signal(len(mine), name=f"dense_{lane}")
                with m.Switch(odd):
                    for column, value in enumerate(others):
                        with m.Case(column):
                            m.d.comb += dense.eq(value)
                mine = Mux(self.dense, dense, mine)
            m.d.comb += [
                *(item.scales[lane][b].eq(mine[CONSTANT_BITS * b : CONSTANT_BITS * (b + 1)]) for b in range(banks)),
                item.biases[lane].eq(mine[CONSTANT_BITS * banks :]),
            ]

    def _item_word(self, m: Module, place: Value) -> Value:
        """Scales and biases of an item's four rows, `READ` ticks after its place.

        LOAD writes them one after the other, the bias of the last row at last. They are collected, and an item is
        written as a whole, so that it fills the words of the block RAMs with their parity bits.
        """
        design, load = self._sizes.design, self.load
        width = CONSTANT_BITS * (design.acc_banks + 1)
        collected, complete = Signal(GATES * width, reset_less=True), Signal()
        address = Signal(len(place), reset_less=True)
        mine = self._loads(LoadTarget.PARAMETER)
        for column in range(GATES):
            for part, lane in enumerate([*range(design.acc_banks), BIAS_LANE]):
                with m.If(mine & (load.lane == 8 * column + lane)):
                    m.d.sync += collected.word_select(column * (width // CONSTANT_BITS) + part, CONSTANT_BITS).eq(
                        load.data
                    )
        m.d.sync += [
            complete.eq(mine & (load.lane == 8 * (GATES - 1) + BIAS_LANE)),
            address.eq(load.address[self._unit_bits :]),
        ]
        low, rest = design.param_depths
        words = []
        for number, depth in enumerate((low, rest) if rest else (low,)):
            # places from the largest power of two on have the highest bit set
            here = complete & (address[-1] == number) if rest else complete
            parts, begin = [], 0
            for bits, style in _cut(GATES * width, low) if not number else [(GATES * width, "distributed")]:
                m.submodules[f"scales_{number}_{begin}"] = memory = Memory(
                    shape=bits, depth=depth, init=[], attrs={"ram_style": style}
                )
                write = memory.write_port()
                m.d.comb += [
                    write.addr.eq(address),
                    write.data.eq(collected[begin : begin + bits]),
                    write.en.eq(here),
                ]
                parts.append(self._word(m, memory, place))
                begin += bits
            words.append(Cat(parts))
        with m.If(self.step):
            behind = later(m, place[-1], name="behind") if rest else Const(0, 1)
            return later(m, Mux(behind, words[-1], words[0]), name="item_word")

    def _cells(self, m: Module, valid: Value) -> None:
        """Peepholes, which only an LSTM has, and c, or a GRU's h, written anew while later cells are read."""
        design, load = self._sizes.design, self.load
        bits = ceil_log2(design.cell_depth)
        cell, written = Signal(bits), Signal(bits)
        with m.If(self.step & valid):
            m.d.sync += cell.eq(cell + 1)
        with m.If(self.step & self.cell_valid):
            m.d.sync += written.eq(written + 1)
        with m.If(self.launch):
            m.d.sync += [cell.eq(self.phase.cell_base), written.eq(self.phase.cell_base)]
        if "lstm" in design.cells:
            m.submodules.peepholes = peepholes = Memory(
                shape=3 * CONSTANT_BITS, depth=design.cell_depth, init=[], attrs={"ram_style": "block"}
            )
            write = peepholes.write_port(granularity=CONSTANT_BITS)
            m.d.comb += [
                write.addr.eq(load.address[self._unit_bits :]),
                write.data.eq(load.data[:CONSTANT_BITS].replicate(3)),
                *(write.en[g].eq(self._loads(LoadTarget.PEEPHOLE) & (load.lane == g)) for g in range(3)),
            ]
            values = self._read(m, peepholes, cell)
            m.d.comb += [
                self.item.peepholes[g].eq(values[CONSTANT_BITS * g : CONSTANT_BITS * (g + 1)]) for g in range(3)
            ]
        m.submodules.cells = cells = Memory(
            shape=signed(CONSTANT_BITS), depth=design.cell_depth, init=[], attrs={"ram_style": "block"}
        )
        write = cells.write_port()
        m.d.comb += [
            write.addr.eq(written),
            write.data.eq(self.cell_new),
            write.en.eq(self.step & self.cell_valid),
        ]
        m.d.comb += self.item.cell.eq(Mux(self.zero, 0, self._read(m, cells, cell)))


def _cut(bits: int, depth: int) -> list[tuple[int, str]]:
    """Widths and kinds of the memories that together hold words of so many bits.

    A last block RAM that would hold two bits only, of up to 2,048 words, is spared: they take fewer than 100 LUTs.

    Args:
        bits: of a word.
        depth: number of words.
    """
    rest = bits % RAM_BITS
    if 0 < rest <= FEW_BITS and FEW_DEPTHS[0] <= depth <= FEW_DEPTHS[1]:
        return [(bits - rest, "block"), (rest, "distributed")]
    return [(bits, "block")]


class Tables(wiring.Component):
    """Copies of the tanh table, each of which gives two of the units' values in a tick.

    Args:
        sizes: of the engine.
        lookups: values that all units look up in a tick.
    """

    def __init__(self, sizes: Sizes, lookups: int) -> None:
        self._lookups = lookups
        super().__init__(
            {
                "load": In(load_layout(sizes.design)),
                "step": In(1),
                "addresses": In(data.ArrayLayout(10, lookups)),
                "words": Out(data.ArrayLayout(32, lookups)),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """Copies with two ports."""
        m = Module()
        loads = self.load.memory == LoadTarget.TABLE
        for copy in range(-(-self._lookups // 2)):
            m.submodules[f"table_{copy}"] = table = Memory(shape=32, depth=1024, init=[], attrs={"ram_style": "block"})
            write = table.write_port()
            for port, lookup in enumerate(range(2 * copy, min(2 * copy + 2, self._lookups))):
                read = table.read_port()
                # the first port of a block RAM is shared by the loader
                address = Mux(loads, self.load.address, self.addresses[lookup]) if port == 0 else self.addresses[lookup]
                m.d.comb += [
                    read.addr.eq(address),
                    # a port that writes reads too, because it has one enable for both
                    read.en.eq(self.step | loads if port == 0 else self.step),
                    self.words[lookup].eq(read.data),
                ]
                if port == 0:
                    m.d.comb += [write.addr.eq(address), write.data.eq(self.load.data), write.en.eq(loads)]
        return m
