# SPDX-License-Identifier: Apache-2.0
"""Rounding of all that leaves the unit: h to two formats, r * h or the sums of two rows to the format of the image."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import C, Module, Mux, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ese_host.image import SUM_BITS, Design
from ese_host.ir import Fixed
from ese_rtl.pipeline import later
from ese_rtl.records import ELEMENT_BITS, SHIFT_BITS, is_kind, settings_layout
from ese_rtl.unit.arithmetic import VariableRounding
from ese_rtl.unit.cell import CellFormats, GruFormats, cell_formats
from ese_rtl.unit.sets import chosen, set_of

ROWS = 2
"""Rows of another matrix than an LSTM's that an item may have."""


class Leaving(wiring.Component):
    """Rounds what leaves; the result comes `latency` clocks after h or the rows.

    There are two roundings with variable shift and bounds, one for each row. A cell's h goes through both: through the
    first to the format of what is stored, through the second to that of the output. r * h takes the place of the first
    row.
    """

    latency = 1 + VariableRounding.latency

    def __init__(self, design: Design) -> None:
        """Make the component of a design.

        Raises:
            UnsupportedError: if formats of the design have binary points too far apart.
        """
        self._design, self._formats = design, cell_formats(design)
        cells: dict[str, Any] = {}
        if (lstm := self._formats.get("lstm")) is not None:
            cells["h"] = In(signed(lstm.h_bits))
        if isinstance(gru := self._formats.get("gru"), GruFormats):
            cells |= {"gru_h": In(signed(gru.h_bits)), "reset": In(signed(gru.reset_bits))}
        elements = Out(data.ArrayLayout(signed(ELEMENT_BITS), ROWS))
        super().__init__(
            {
                "settings": In(settings_layout(design)),
                **cells,
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
        cells = {kind: getattr(self, "h" if kind == "lstm" else "gru_h") for kind in self._formats}
        shifted = {kind: h << self._formats[kind].h_shift for kind, h in cells.items()}
        for row in range(ROWS):
            m.submodules[f"rounding{row}"] = rounding = VariableRounding()
            roundings.append(rounding)
            row_sum = Mux(settings.relu & self.rows[row][-1], 0, self.rows[row])
            if "gru" in cells and row == 0:
                row_sum = Mux(is_kind(settings, "reset"), self.reset, row_sum)
            leaves = self._of_cell(shifted, row_sum)[:SUM_BITS].as_signed()
            value = later(m, leaves, name=f"value{row}")
            m.d.comb += rounding.value.eq(value)
            self._choose_format(m, rounding, row)
            m.d.comb += [self.exact[row].eq(self._exact(m, value, row)), self.stored[row].eq(rounding.code)]
        first, second = (rounding.code for rounding in roundings)
        of_cells = dict.fromkeys(cells, second)
        m.d.comb += [self.output[0].eq(self._of_cell(of_cells, first)), self.output[1].eq(second)]
        return m

    def _exact(self, m: Module, value: Any, row: int) -> Any:
        """The unrounded value that leaves, with the fractional bits that it has in the item's own format set.

        Args:
            m: module that gets the registers.
            value: what is rounded.
            row: of the item.
        """
        latency, design, name = self.latency - 1, self._design, f"exact{row}"
        if not design.more_sets:
            exact = later(m, value, latency, name=name)
            shifts = {kind: formats.h_shift for kind, formats in self._formats.items()}
            if not any(shifts.values()):
                return exact
            return self._of_cell({kind: exact >> shift for kind, shift in shifts.items()}, exact)
        waiting, own = later(m, value, latency - 1, name=f"value{row}_waiting"), {}
        for kind, formats in self._formats.items():
            shifted = [waiting.shift_right(formats.h_frac - formats.own_frac(each)) for each in formats.sets]
            own[kind] = chosen(set_of(design, self.settings), shifted)
        return later(m, self._of_cell(own, waiting), name=name, shape=signed(SUM_BITS))

    def _of_cell(self, of_h: dict[str, Any], of_row: Any) -> Any:
        """The value for a cell's h, by the kinds of cells that the design has, or else for a row or r * h."""
        settings = self.settings
        if "gru" not in of_h:
            return Mux(settings.lstm, of_h["lstm"], of_row)
        chosen = Mux(is_kind(settings, "lstm"), of_h["lstm"], of_h["gru"]) if "lstm" in of_h else of_h["gru"]
        return Mux(settings.lstm & ~is_kind(settings, "reset"), chosen, of_row)

    def _choose_format(self, m: Module, rounding: VariableRounding, row: int) -> None:
        """Set shift and bounds, one clock behind the settings, which stand longer than that before a value comes."""
        settings = self.settings
        number = set_of(self._design, settings)
        parts = zip(
            ("shift", "low", "high"),
            (rounding.shift, rounding.low, rounding.high),
            (settings.stored_shift, settings.low, settings.high),
            strict=True,
        )
        for place, (name, port, of_row) in enumerate(parts):
            of_h = {}
            for kind, formats in self._formats.items():
                states = [_limits(formats, each.state)[place] for each in formats.sets]
                outputs = [_limits(formats, each.output)[place] for each in formats.sets]
                of_state, of_output = chosen(number, states), chosen(number, outputs)
                of_h[kind] = of_output if row else Mux(settings.stores_output, of_output, of_state)
            limit = self._of_cell(of_h, of_row)[: len(port)]
            m.d.comb += port.eq(later(m, limit, name=f"{name}{row}"))


def _limits(formats: CellFormats, to: Fixed) -> tuple[Any, Any, Any]:
    """Shift, lowest and highest code for h in a format; what has 48 bits is zero behind any longer shift.

    Args:
        formats: of the cell.
        to: the format.
    """
    shift = min(formats.h_frac - to.frac, (1 << SHIFT_BITS) - 1)
    return C(shift, SHIFT_BITS), C(to.low, signed(ELEMENT_BITS)), C(to.high, signed(ELEMENT_BITS))
