"""The way of results: they are written to the vector RAMs, and leave the engine as words."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ese_rtl.array import element_write_layout
from ese_rtl.control.phase_table import phase_layout
from ese_rtl.records import Result
from ese_rtl.sizes import Sizes

WORD = 32
HALF = 16


class Retire(wiring.Component):
    """Takes one result after the other. While the words of a result leave, one in a clock, the stage stands still.

    With trace a result gives four words (exact, low word first; stored; c), else two if it leaves exact, else half a
    word. Two rows of another matrix than an LSTM's give twice as much.

    Args:
        sizes: of the engine.
    """

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        port = element_write_layout(sizes)
        super().__init__(
            {
                "launch": In(1),
                "phase": In(phase_layout(sizes)),  # whose stage is launched
                "record": In(phase_layout(sizes)),  # of the stage under way
                "outputs": In(1),  # second target and output take part
                "trace": In(1),
                "result": In(Result),
                "step": Out(1),  # the stage goes on
                "busy": Out(1),  # results are still to come
                "targets": Out(data.ArrayLayout(1, 2)),  # vector RAMs that they are written to
                "writes": Out(data.ArrayLayout(data.ArrayLayout(port, 2), 2)),
                "word_valid": Out(1),
                "word": Out(WORD),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """Counters of results and words, and the writes."""
        m = Module()
        record, result = self.record, self.result
        left = Signal(16)  # results that are still to come
        taken = Signal()
        with m.If(taken):
            m.d.sync += left.eq(left - 1 - result.pair)
        last_word = self._words(m, (left == 1) | (result.pair & (left == 2)), taken)
        m.d.comb += [
            self.step.eq(~result.valid | last_word),
            taken.eq(result.valid & last_word),
            self.busy.eq(left != 0),
        ]
        addresses = [Signal(self._sizes.column_bits, name=name) for name in ("first_address", "second_address")]
        with m.If(taken):
            m.d.sync += [address.eq(address + 1 + result.pair) for address in addresses]
        with m.If(self.launch):
            m.d.sync += [
                left.eq(self.phase.items),
                addresses[0].eq(self.phase.first_base),
                addresses[1].eq(self.phase.second_base),
            ]
        for r in range(2):
            first = record.first_enabled & (record.first_ram == r)
            second = record.second_enabled & (record.second_ram == r) & self.outputs
            m.d.comb += self.targets[r].eq(self.busy & (first | second))
            for port in range(2):
                here = taken & (result.pair if port else 1)
                m.d.comb += [
                    self.writes[r][port].enable.eq(here & (first | second)),
                    self.writes[r][port].address.eq(Mux(first, addresses[0], addresses[1]) + port),
                    self.writes[r][port].value.eq(Mux(first, result.stored[port], result.output[port])),
                ]
        return m

    def _words(self, m: Module, last: Value, taken: Signal) -> Signal:
        """The words of the result; returns whether the last of them leaves now, or there is none."""
        record, result = self.record, self.result
        emits = record.emits & self.outputs
        exact, pairs_up = Signal(), Signal()
        m.d.comb += [
            exact.eq(emits & ~record.emits_stored & ~self.trace),
            pairs_up.eq(emits & record.emits_stored & ~self.trace),
        ]
        number = Signal(3)  # of the word
        words = Signal(4)
        odd, low = Signal(), Signal(HALF)  # whether a half is kept for the next word, and the half
        with m.If(self.trace):
            m.d.comb += words.eq(Mux(result.pair, 8, 4))
        with m.Elif(exact):
            m.d.comb += words.eq(Mux(result.pair, 4, 2))
        with m.Elif(pairs_up):
            m.d.comb += words.eq(result.pair | odd | last)
        last_word = Signal()
        m.d.comb += [last_word.eq((words == 0) | (number == words - 1)), self.word_valid.eq(result.valid & words.any())]
        with m.If(result.valid):
            m.d.sync += number.eq(Mux(last_word, 0, number + 1))
        outputs = [result.output[k][:HALF] for k in range(2)]
        with m.If(taken & pairs_up & ~result.pair):
            m.d.sync += [odd.eq(~odd & ~last), low.eq(outputs[0])]
        parts = []
        for k in range(2):
            wide = Signal(signed(2 * WORD), name=f"exact_{k}")
            stored = Signal(signed(WORD), name=f"stored_{k}")
            cell = Signal(signed(WORD), name=f"cell_{k}")
            m.d.comb += [wide.eq(result.exact[k]), stored.eq(result.stored[k])]
            if k == 0:
                m.d.comb += cell.eq(result.cell)
            parts += [wide[:WORD], wide[WORD:], stored, cell]
        place = Mux(self.trace, number, Cat(number[0], 0, number[1]))
        with m.If(pairs_up):
            high = Mux(result.pair, outputs[1], Mux(odd, outputs[0], 0))
            m.d.comb += self.word.eq(Cat(Mux(odd, low, outputs[0]), high))
        with m.Else(), m.Switch(place):
            for number_of_part, part in enumerate(parts):
                with m.Case(number_of_part):
                    m.d.comb += self.word.eq(part)
        return last_word
