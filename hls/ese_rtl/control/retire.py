# SPDX-License-Identifier: Apache-2.0
"""The way of results: they are written to the vector RAMs, and leave the engine as words."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ese_rtl.control.phase_table import phase_layout
from ese_rtl.control.stage import of_unit
from ese_rtl.pipeline import later
from ese_rtl.records import Result, element_write_layout
from ese_rtl.sizes import Sizes

WORD = 32
HALF = 16


def overtaking_ports(sizes: Sizes, flow: Any) -> dict[str, Any]:
    """The ports that tell the sequencer of a vector that is read while it is still being written.

    Only a window reads the elements in the order in which they are written.

    Args:
        sizes: of the engine.
        flow: `In` or `Out`.
    """
    if not sizes.design.window:
        return {}
    return {
        "readable": flow(1),  # a window that begins now reads no element before it is written
        "bases": flow(data.ArrayLayout(sizes.column_bits, 2)),  # the first element that is written, by vector RAM
    }


class Retire(wiring.Component):
    """Takes the results of one tick after the other. While their words leave, one in a clock, the stage stands still.

    The elements of a tick are, in the order of the items, row 0 of every unit's result, then row 1 of every unit's;
    an LSTM's cells are rows 0. With trace an element gives four words (exact, low word first; stored; c), else two if
    it leaves exact, else half a word.

    Whether the stage goes on decides which clock counts for half of the core, so it depends on two registers only: how
    many words a tick has is found out in the tick before it.

    Args:
        sizes: of the engine.
    """

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        port = element_write_layout(sizes.column_bits)
        super().__init__(
            {
                "launch": In(1),
                "phase": In(phase_layout(sizes)),  # whose stage is launched, from the clock before on
                "record": In(phase_layout(sizes)),  # of the stage under way
                "outputs": In(1),  # second target and output take part
                "trace": In(1),
                "next_valid": In(sizes.units),  # by unit: a result comes in the next tick,
                "next_pair": In(sizes.units),  # with a second row
                "results": In(data.ArrayLayout(Result, sizes.units)),
                "step": Out(1),  # the stage goes on
                "busy": Out(1),  # results are still to come
                # vector RAMs that they are written to, from the second clock after `launch` on
                "targets": Out(data.ArrayLayout(1, 2)),
                "next_writes": Out(data.ArrayLayout(1, 2)),  # vector RAMs that are written to in the next clock
                **overtaking_ports(sizes, Out),
                "writes": Out(data.ArrayLayout(data.ArrayLayout(port, sizes.elements), 2)),
                "word_valid": Out(1),
                "word": Out(WORD),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """Counters of results and words, the writes, and the words."""
        m = Module()
        sizes, record, several_units = self._sizes, self.record, self._sizes.units > 1
        emits = record.emits & self.outputs
        several, halves = Signal(), Signal()  # words that an element gives, known before the first one comes
        m.d.sync += [
            several.eq(self.trace | (emits & ~record.emits_stored)),
            halves.eq(emits & record.emits_stored & ~self.trace),
        ]
        # what unit 0 has in the next tick: all that comes before the last tick, every unit has
        next_valid, next_pair = self.next_valid[0], self.next_pair[0]
        count = later(m, of_unit(self.phase.items, sizes, 0), name="count")
        left = Signal(signed(17), init=-2)  # results of unit 0 that have not come, less two
        none, last = Signal(), Signal()  # none comes any more, or the next one is the last one
        odd, joined = Signal(), Signal()  # the next result, or this one, finds a half that waits for it
        place = Signal(range(4 * sizes.elements))  # of the word among those that a tick has with trace
        final = Signal(range(sizes.elements))  # number of the last element
        m.d.comb += [none.eq(left[-1] & ~left[0]), last.eq(left[-1] & left[0])]
        taken, next_taken = Signal(), Signal()  # the last word of a tick leaves, in this clock or in the next one
        next_busy = Signal()
        m.d.comb += self.step.eq(taken | ~self.results[0].valid)
        m.d.comb += next_busy.eq(self.busy)
        m.d.sync += [taken.eq(next_taken), self.busy.eq(next_busy)]
        with m.If(self.step):
            # halves fill a word, or two if several units have two rows each
            two_words = halves & next_pair if several_units else 0
            fills = 1 if several_units else next_pair | odd | last
            m.d.comb += [
                next_taken.eq(next_valid & ~several & ~two_words),
                next_busy.eq(next_valid | ~none),
            ]
            m.d.sync += [
                self.word_valid.eq(next_valid & (several | (halves & fills))),
                joined.eq(odd),
                place.eq(0),
                final.eq(0),
            ]
            for element in range(1, sizes.elements):
                with m.If(self._is_there(element, self.next_valid, self.next_pair)):
                    m.d.sync += final.eq(element)
            with m.If(next_valid):
                m.d.sync += left.eq(left - 1 - next_pair)
                if not several_units:
                    with m.If(halves & ~next_pair):
                        m.d.sync += odd.eq(~odd & ~last)
        with m.Else():
            # without trace the words are 0 and 1, then, of a second element, 4 and 5, and so on; of halves 0 and 1
            m.d.comb += next_taken.eq((halves if several_units else 0) | (place == Cat(0, self.trace, final)))
            m.d.sync += place.eq(place + Mux(~self.trace & place[0], 3, 1))
        some = Signal()
        m.d.sync += some.eq(self.phase.items.any())
        with m.If(self.launch):
            m.d.comb += next_busy.eq(some)
            m.d.sync += left.eq(count)
        self._write(m, taken, next_taken, next_busy)
        self._words(m, halves, joined, place, taken)
        if sizes.design.window:
            self._overtaking(m, several, count)
        return m

    def _overtaking(self, m: Module, several: Signal, count: Signal) -> None:
        """Tell when half of a stage's elements have come, if at least one comes in a clock from then on.

        A window takes in two elements a clock at most. So it reaches the last one when it has been written, too.

        Args:
            m: module that gets the logic.
            several: whether an element takes more than one clock, since it has words of its own.
            count: results of unit 0 in the stage that is launched, less two.
        """
        sizes, record = self._sizes, self.record
        half = Signal(signed(17), init=-1)  # results of unit 0 until then, less one
        slow = 0 if sizes.cell_period == 1 else record.lstm
        m.d.sync += self.readable.eq(half[-1] & ~several & ~slow)
        with m.If(self.step & self.next_valid[0]):
            m.d.sync += half.eq(half - 1 - self.next_pair[0])
        with m.If(self.launch):
            m.d.sync += half.eq((count + 1) >> 1)
        for r in range(2):
            of_first = record.first_enabled & (record.first_ram == r)
            m.d.sync += self.bases[r].eq(Mux(of_first, record.first_base, record.second_base))

    def _is_there(self, element: int, valid: Any, pair: Any) -> Any:
        """Whether a tick has an element; the first one is always there.

        Args:
            element: its number.
            valid: by unit, whether there is a result,
            pair: and whether it has a second row.
        """
        row, unit = divmod(element, self._sizes.units)
        return pair[unit] if row else valid[unit] if unit else 1

    def _write(self, m: Module, taken: Signal, next_taken: Signal, next_busy: Signal) -> None:
        """Write the elements of a tick when its last word leaves.

        Args:
            m: module that gets the logic.
            taken: whether it leaves in this clock.
            next_taken: or in the next one.
            next_busy: whether results are still to come in the next clock.
        """
        record, results, units = self.record, self.results, self._sizes.units
        addresses = [Signal(self._sizes.column_bits, name=name) for name in ("first_address", "second_address")]
        with m.If(taken):
            m.d.sync += [address.eq(address + Mux(results[0].pair, 2 * units, units)) for address in addresses]
        with m.If(self.launch):
            m.d.sync += [addresses[0].eq(self.phase.first_base), addresses[1].eq(self.phase.second_base)]
        valid, pair = ([result[name] for result in results] for name in ("valid", "pair"))
        for r in range(2):
            first, here = Signal(name=f"first_{r}"), Signal(name=f"here_{r}")
            of_first = record.first_enabled & (record.first_ram == r)
            of_second = record.second_enabled & (record.second_ram == r) & self.outputs
            m.d.sync += [first.eq(of_first), here.eq(of_first | of_second)]
            m.d.sync += self.targets[r].eq(next_busy & (of_first | of_second))
            m.d.comb += self.next_writes[r].eq(next_taken & here)
            for element, write in enumerate(self.writes[r]):
                row, unit = divmod(element, units)
                result, address = results[unit], Mux(first, addresses[0], addresses[1])
                m.d.comb += [
                    write.enable.eq(taken & here & self._is_there(element, valid, pair)),
                    # designs with several units have vectors that begin at multiples of four
                    write.address.eq(address | element if units > 1 else address + element),
                    write.value.eq(Mux(first, result.stored[row], result.output[row])),
                ]

    def _words(self, m: Module, halves: Value, joined: Value, place: Value, taken: Value) -> None:
        """The word of a tick that leaves.

        Args:
            m: module that gets the logic.
            halves: whether two elements share a word.
            joined: whether the half before this tick leaves with it.
            place: of the word, if elements have words of their own.
            taken: whether this is the last word of the tick.
        """
        units = self._sizes.units
        with m.If(halves):
            m.d.comb += self.word.eq(self._half_words(m, joined, place, taken))
        with m.Else(), m.Switch(place):
            for element in range(self._sizes.elements):
                row, unit = divmod(element, units)
                result = self.results[unit]
                wide = Signal(signed(2 * WORD), name=f"exact_{element}")
                stored = Signal(signed(WORD), name=f"stored_{element}")
                cell = Signal(signed(WORD), name=f"cell_{element}")
                m.d.comb += [wide.eq(result.exact[row]), stored.eq(result.stored[row])]
                if row == 0:
                    m.d.comb += cell.eq(result.cell)
                for number, word in enumerate((wide[:WORD], wide[WORD:], stored, cell)):
                    with m.Case(4 * element + number):
                        m.d.comb += self.word.eq(word)

    def _half_words(self, m: Module, joined: Value, place: Value, taken: Value) -> Value:
        """The word if two elements share one. With one unit a tick may have one half only, which waits for the next.

        Args:
            m: module that gets the logic.
            joined: whether a half waits.
            place: of the word.
            taken: whether this is the last word of the tick.
        """
        results, units = self.results, self._sizes.units
        outputs = [results[element % units].output[element // units][:HALF] for element in range(self._sizes.elements)]
        if units == 1:
            low = Signal(HALF, reset_less=True)
            with m.If(taken):
                m.d.sync += low.eq(outputs[0])
            high = Mux(results[0].pair, outputs[1], Mux(joined, outputs[0], 0))
            return Cat(Mux(joined, low, outputs[0]), high)
        valid, pair = ([result[name] for result in results] for name in ("valid", "pair"))
        words = [
            Cat(outputs[element], Mux(self._is_there(element + 1, valid, pair), outputs[element + 1], 0))
            for element in range(0, len(outputs), 2)
        ]
        return Mux(place[0], words[1], words[0])
