"""Rounding of all that leaves the unit: h to two formats, or the sums of two rows to the format of the image."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import C, Module, Mux, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ese_host.image import SUM_BITS
from ese_host.ir import Fixed
from ese_rtl.pipeline import later
from ese_rtl.records import ELEMENT_BITS, SHIFT_BITS, Settings
from ese_rtl.unit.arithmetic import VariableRounding
from ese_rtl.unit.cell import CellFormats

ROWS = 2
"""Rows of another matrix than an LSTM's that an item may have."""


class Leaving(wiring.Component):
    """Rounds what leaves; the result comes `latency` clocks after h or the rows.

    There are two roundings with variable shift and bounds, one for each row. An LSTM's h goes through both: through
    the first to the format of what is stored, through the second to that of the output.
    """

    latency = 1 + VariableRounding.latency

    def __init__(self, formats: CellFormats) -> None:
        """Make the component.

        Args:
            formats: widths and binary points of an LSTM cell.
        """
        self._design, self._formats = formats.design, formats
        elements = Out(data.ArrayLayout(signed(ELEMENT_BITS), ROWS))
        super().__init__(
            {
                "settings": In(Settings),
                "h": In(signed(formats.h_bits)),
                "rows": In(data.ArrayLayout(signed(SUM_BITS), ROWS)),
                "exact": Out(data.ArrayLayout(signed(SUM_BITS), ROWS)),
                "stored": elements,
                "output": elements,
            }
        )

    def elaborate(self, _platform: Any) -> Module:
        """ReLU and the choice between h and a row in one clock, then the rounding."""
        m = Module()
        settings, roundings = self.settings, []
        for row in range(ROWS):
            m.submodules[f"rounding{row}"] = rounding = VariableRounding()
            roundings.append(rounding)
            row_sum = Mux(settings.relu & self.rows[row][-1], 0, self.rows[row])
            leaves = Mux(settings.lstm, self.h << self._formats.h_shift, row_sum)[:SUM_BITS].as_signed()
            value = later(m, leaves, name=f"value{row}")
            m.d.comb += rounding.value.eq(value)
            self._choose_format(m, rounding, row)
            exact = later(m, value, rounding.latency, name=f"exact{row}")
            if self._formats.h_shift:
                exact = Mux(settings.lstm, exact >> self._formats.h_shift, exact)
            m.d.comb += [self.exact[row].eq(exact), self.stored[row].eq(rounding.code)]
        first, second = (rounding.code for rounding in roundings)
        m.d.comb += [self.output[0].eq(Mux(settings.lstm, second, first)), self.output[1].eq(second)]
        return m

    def _choose_format(self, m: Module, rounding: VariableRounding, row: int) -> None:
        """Set shift and bounds, one clock behind the settings, which stand longer than that before a value comes."""
        settings, design = self.settings, self._design
        parts = zip(
            ("shift", "low", "high"),
            (rounding.shift, rounding.low, rounding.high),
            (settings.stored_shift, settings.low, settings.high),
            self._limits(design.state),
            self._limits(design.output),
            strict=True,
        )
        for name, port, of_row, of_state, of_output in parts:
            of_h = of_output if row else Mux(settings.stores_output, of_output, of_state)
            chosen = Mux(settings.lstm, of_h, of_row)[: len(port)]
            m.d.comb += port.eq(later(m, chosen, name=f"{name}{row}"))

    def _limits(self, to: Fixed) -> tuple[Any, Any, Any]:
        """Shift, lowest and highest code for h in a format; what has 48 bits is zero behind any longer shift."""
        shift = min(self._formats.h_frac - to.frac, (1 << SHIFT_BITS) - 1)
        return C(shift, SHIFT_BITS), C(to.low, signed(ELEMENT_BITS)), C(to.high, signed(ELEMENT_BITS))
