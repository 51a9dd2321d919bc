"""The way of results: they are written to the vector RAMs, and leave the engine as words."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ese_rtl.control.phase_table import phase_layout
from ese_rtl.records import Result, element_write_layout
from ese_rtl.sizes import Sizes

WORD = 32
HALF = 16


class Retire(wiring.Component):
    """Takes one result after the other. While the words of a result leave, one in a clock, the stage stands still.

    With trace a result gives four words (exact, low word first; stored; c), else two if it leaves exact, else half a
    word. Two rows of another matrix than an LSTM's give twice as much.

    Whether the stage goes on decides which clock counts for half of the core, so it depends on two registers only: how
    many words a result has is found out in the tick before it comes.

    Args:
        sizes: of the engine.
    """

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        port = element_write_layout(sizes.column_bits)
        super().__init__(
            {
                "launch": In(1),
                "phase": In(phase_layout(sizes)),  # whose stage is launched
                "record": In(phase_layout(sizes)),  # of the stage under way
                "outputs": In(1),  # second target and output take part
                "trace": In(1),
                "next_valid": In(1),  # a result comes in the next tick,
                "next_pair": In(1),  # or two
                "result": In(Result),
                "step": Out(1),  # the stage goes on
                "busy": Out(1),  # results are still to come
                # vector RAMs that they are written to, from the second clock after `launch` on
                "targets": Out(data.ArrayLayout(1, 2)),
                "next_writes": Out(data.ArrayLayout(1, 2)),  # vector RAMs that are written to in the next clock
                "writes": Out(data.ArrayLayout(data.ArrayLayout(port, 2), 2)),
                "word_valid": Out(1),
                "word": Out(WORD),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """Counters of results and words, the writes, and the words."""
        m = Module()
        record, result = self.record, self.result
        emits = record.emits & self.outputs
        several, halves = Signal(), Signal()  # words that a result gives, known before the first one comes
        m.d.sync += [
            several.eq(self.trace | (emits & ~record.emits_stored)),
            halves.eq(emits & record.emits_stored & ~self.trace),
        ]
        left = Signal(signed(17), init=-2)  # results that have not come, less two
        none, last = Signal(), Signal()  # none comes any more, or the next one is the last one
        odd, joined = Signal(), Signal()  # the next result, or this one, finds a half that waits for it
        place = Signal(3)  # of the word among those that a result has with trace
        m.d.comb += [none.eq(left[-1] & ~left[0]), last.eq(left[-1] & left[0])]
        taken, next_taken = Signal(), Signal()  # the last word of a result leaves, in this clock or in the next one
        next_busy = Signal()
        m.d.comb += self.step.eq(taken | ~result.valid)
        m.d.comb += next_busy.eq(self.busy)
        m.d.sync += [taken.eq(next_taken), self.busy.eq(next_busy)]
        with m.If(self.step):
            m.d.comb += [next_taken.eq(self.next_valid & ~several), next_busy.eq(self.next_valid | ~none)]
            m.d.sync += [
                self.word_valid.eq(self.next_valid & (several | (halves & (self.next_pair | odd | last)))),
                joined.eq(odd),
                place.eq(0),
            ]
            with m.If(self.next_valid):
                m.d.sync += left.eq(left - 1 - self.next_pair)
                with m.If(halves & ~self.next_pair):
                    m.d.sync += odd.eq(~odd & ~last)
        with m.Else():
            # without trace the words are 0, 1 and, of a second row, 4, 5
            m.d.comb += next_taken.eq(place == Cat(0, self.trace, result.pair))
            m.d.sync += place.eq(place + Mux(~self.trace & place[0], 3, 1))
        with m.If(self.launch):
            m.d.comb += next_busy.eq(self.phase.items.any())
            m.d.sync += left.eq(self.phase.items - 2)
        self._write(m, taken, next_taken, next_busy)
        self._words(m, halves, joined, place, taken)
        return m

    def _write(self, m: Module, taken: Signal, next_taken: Signal, next_busy: Signal) -> None:
        """Write a result when its last word leaves.

        Args:
            m: module that gets the logic.
            taken: whether it leaves in this clock.
            next_taken: or in the next one.
            next_busy: whether results are still to come in the next clock.
        """
        record, result = self.record, self.result
        addresses = [Signal(self._sizes.column_bits, name=name) for name in ("first_address", "second_address")]
        with m.If(taken):
            m.d.sync += [address.eq(address + 1 + result.pair) for address in addresses]
        with m.If(self.launch):
            m.d.sync += [addresses[0].eq(self.phase.first_base), addresses[1].eq(self.phase.second_base)]
        for r in range(2):
            first, here = Signal(name=f"first_{r}"), Signal(name=f"here_{r}")
            of_first = record.first_enabled & (record.first_ram == r)
            of_second = record.second_enabled & (record.second_ram == r) & self.outputs
            m.d.sync += [first.eq(of_first), here.eq(of_first | of_second)]
            m.d.sync += self.targets[r].eq(next_busy & (of_first | of_second))
            m.d.comb += self.next_writes[r].eq(next_taken & here)
            for port in range(2):
                m.d.comb += [
                    self.writes[r][port].enable.eq(taken & here & (result.pair if port else 1)),
                    self.writes[r][port].address.eq(Mux(first, addresses[0], addresses[1]) + port),
                    self.writes[r][port].value.eq(Mux(first, result.stored[port], result.output[port])),
                ]

    def _words(self, m: Module, halves: Value, joined: Value, place: Value, taken: Value) -> None:
        """The word of a result that leaves.

        Args:
            m: module that gets the logic.
            halves: whether two results share a word.
            joined: whether the half before this result leaves with it.
            place: of the word, if results have words of their own.
            taken: whether this is the last word of the result.
        """
        result = self.result
        outputs = [result.output[k][:HALF] for k in range(2)]
        low = Signal(HALF, reset_less=True)
        with m.If(taken):
            m.d.sync += low.eq(outputs[0])
        with m.If(halves):
            high = Mux(result.pair, outputs[1], Mux(joined, outputs[0], 0))
            m.d.comb += self.word.eq(Cat(Mux(joined, low, outputs[0]), high))
        with m.Else(), m.Switch(place):
            for k in range(2):
                wide = Signal(signed(2 * WORD), name=f"exact_{k}")
                stored = Signal(signed(WORD), name=f"stored_{k}")
                cell = Signal(signed(WORD), name=f"cell_{k}")
                m.d.comb += [wide.eq(result.exact[k]), stored.eq(result.stored[k])]
                if k == 0:
                    m.d.comb += cell.eq(result.cell)
                for number, word in enumerate((wide[:WORD], wide[WORD:], stored, cell)):
                    with m.Case(4 * k + number):
                        m.d.comb += self.word.eq(word)
