# SPDX-License-Identifier: Apache-2.0
"""The new c of an LSTM cell, what it shares with a GRU's, and the formats of the products in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ese_host.errors import UnsupportedError
from ese_host.image import CONSTANT_BITS, SUM_BITS, SUM_FRAC, Design
from ese_host.ir import FormatSet, unrounded_cell
from ese_rtl.pipeline import later
from ese_rtl.unit.arithmetic import ROUNDING_CLOCKS, code_bits
from ese_rtl.unit.sets import aligned_bits, chosen, chosen_later, finest, rounded_codes, set_of, set_port

EXACT_CLOCKS = 2
CELL_CLOCKS = EXACT_CLOCKS + ROUNDING_CLOCKS
"""Clocks from the factors to the unrounded c, and to the rounded one in a design of one format set."""


@dataclass(frozen=True)
class CellFormats:
    """Widths and binary points in a cell of a design, in which c is i * g + f * c: an LSTM's.

    A design of several format sets has one datapath for all of them. Codes of gates, of the cell's activation and of
    the state are shifted left to the finest binary point that a set has there, so that all that is computed of them
    has one binary point, too.

    Attributes:
        design: the design.

    Raises:
        UnsupportedError: if the binary points of the formats are too far apart.
    """

    design: Design

    def __post_init__(self) -> None:
        self._check_h()
        if any(formats.cell.hard for formats in self.sets) and self.c_frac < 0:
            raise UnsupportedError(
                f"the design's c would have {self.c_frac} fractional bits before it is rounded; a hard activation of "
                "the RTL engine needs 0 or more: give the quantizers of state and activations more fractional bits"
            )

    def _check_h(self) -> None:
        if self.h_bits + self.h_shift > SUM_BITS:
            raise UnsupportedError(
                f"the design's h would need {self.h_bits + self.h_shift} bits before it is rounded; the RTL engine has "
                f"{SUM_BITS}: give the quantizers of state and output fewer fractional bits"
            )

    @property
    def sets(self) -> tuple[FormatSet, ...]:
        """The format sets of the design."""
        return self.design.sets

    @property
    def gate_frac(self) -> int:
        """Fractional bits of i, f and o."""
        return finest(formats.gate.out for formats in self.sets)

    @property
    def cell_frac(self) -> int:
        """Fractional bits of g and of the activation of c."""
        return finest(formats.cell.out for formats in self.sets)

    @property
    def state_frac(self) -> int:
        """Fractional bits of the c that f multiplies."""
        return finest(formats.state for formats in self.sets)

    @property
    def gate_bits(self) -> int:
        """Bits of i, f and o, two's complement."""
        return aligned_bits([formats.gate for formats in self.sets])

    @property
    def factor_bits(self) -> int:
        """Bits of g and of the activation of c, two's complement."""
        return aligned_bits([formats.cell for formats in self.sets])

    @property
    def state_bits(self) -> int:
        """Bits of the c that f multiplies, two's complement."""
        if not self.design.more_sets:
            return CONSTANT_BITS
        states = [formats.state for formats in self.sets]
        return max(code_bits(state.low, state.high) + self.state_frac - state.frac for state in states)

    @property
    def forget_frac(self) -> int:
        """Fractional bits of f * c."""
        return self.gate_frac + self.state_frac

    @property
    def candidate_frac(self) -> int:
        """Fractional bits of i * g."""
        return self.gate_frac + self.cell_frac

    @property
    def h_bits(self) -> int:
        """Bits of h before it is rounded, two's complement."""
        return self.gate_bits + self.factor_bits

    @property
    def exact_frac(self) -> int:
        """Fractional bits of h before it is rounded."""
        return self.candidate_frac

    def own_frac(self, formats: FormatSet) -> int:
        """Fractional bits of h before it is rounded, in an engine that has only one of the sets."""
        return formats.gate.out.frac + formats.cell.out.frac

    @property
    def h_shift(self) -> int:
        """By how much h is shifted left, so that each of its formats is reached by a shift to the right."""
        return max(0, *(to.frac - self.exact_frac for formats in self.sets for to in (formats.state, formats.output)))

    @property
    def h_frac(self) -> int:
        """Fractional bits of h after that shift."""
        return self.exact_frac + self.h_shift

    @property
    def c_frac(self) -> int:
        """Fractional bits of c before it is rounded."""
        return self.gate_frac + max(self.state_frac, self.cell_frac)

    @property
    def c_bits(self) -> int:
        """Bits of c before it is rounded, two's complement."""
        own = [unrounded_cell(formats.state, formats.gate, formats.cell) for formats in self.sets]
        return max(bits + self.c_frac - frac for bits, frac in own)

    def aligned_state(self, number: Any, state: Any) -> Any:
        """A stored c, or a GRU's h, with `state_frac` fractional bits.

        Args:
            number: of the format set.
            state: its code.
        """
        return chosen(number, [state.shift_left(self.state_frac - formats.state.frac) for formats in self.sets])


class GruFormats(CellFormats):
    """Widths and binary points in a GRU's cell of a design, in which h is (1 - z) * g + z * h."""

    def __post_init__(self) -> None:
        self._check_h()

    @property
    def one(self) -> int:
        """1, as a code in the format of z and r."""
        return 1 << self.gate_frac

    @property
    def gate_bits(self) -> int:
        """Bits of z, r and 1 - z, two's complement."""
        return max(super().gate_bits, code_bits(0, self.one))

    @property
    def c_bits(self) -> int:
        """Bits of h before it is rounded, two's complement: gates of few bits may give less to it than 1 - z does."""
        cells = [(formats.cell, self.c_frac - self.gate_frac - formats.cell.out.frac) for formats in self.sets]
        added = max(max(-cell.low, cell.high) << shift for cell, shift in cells)
        return max(super().c_bits, (self.one * added).bit_length() + 1)

    @property
    def a_bits(self) -> int:
        """Bits of the candidate's sum, two's complement; above the binary point no image needs more than for a row."""
        return SUM_BITS + self.gate_frac

    @property
    def a_frac(self) -> int:
        """Fractional bits of the candidate's sum."""
        return SUM_FRAC + self.gate_frac

    @property
    def h_bits(self) -> int:
        """Bits of h before it is rounded, two's complement."""
        return self.c_bits

    @property
    def exact_frac(self) -> int:
        """Fractional bits of h before it is rounded."""
        return self.c_frac

    def own_frac(self, formats: FormatSet) -> int:
        """Fractional bits of h before it is rounded, in an engine that has only one of the sets."""
        return unrounded_cell(formats.state, formats.gate, formats.cell)[1]

    @property
    def reset_bits(self) -> int:
        """Bits of r * h before it is rounded, two's complement."""
        return self.gate_bits + CONSTANT_BITS


CELL_FORMATS: dict[str, type[CellFormats]] = {"lstm": CellFormats, "gru": GruFormats}


def cell_formats(design: Design) -> dict[str, CellFormats]:
    """Widths and binary points of each kind of cell that a design has, "lstm" before "gru".

    Raises:
        UnsupportedError: if the binary points of the formats are too far apart.
    """
    return {kind: of_kind(design) for kind, of_kind in CELL_FORMATS.items() if kind in design.cells}


def unrounded(m: Module, formats: CellFormats, kept: tuple[Any, Any], added: tuple[Any, Any]) -> Any:
    """The new c of an LSTM or h of a GRU, `EXACT_CLOCKS` later.

    Args:
        m: module that gets the products and their sum.
        formats: widths and binary points.
        kept: the factors of what is kept, f and c, or z and h.
        added: the factors of what is added, i and g, or 1 - z and g.
    """
    kept1 = later(m, kept[0] * kept[1], name="kept1")
    added1 = later(m, added[0] * added[1], name="added1")
    total = (kept1 << formats.c_frac - formats.forget_frac) + (added1 << formats.c_frac - formats.candidate_frac)
    return later(m, total[: formats.c_bits].as_signed(), name="exact2", shape=signed(formats.c_bits))


class NewCell(wiring.Component):
    """f * c + i * g: exact `EXACT_CLOCKS` later, rounded to the state's format `CELL_CLOCKS` later.

    With several format sets it is rounded for each of them, and chosen in one more clock.
    """

    def __init__(self, formats: CellFormats) -> None:
        """Make the component.

        Args:
            formats: widths and binary points.
        """
        self._formats = formats
        gate = signed(formats.gate_bits)
        super().__init__(
            {
                "i": In(gate),
                "f": In(gate),
                "g": In(signed(formats.factor_bits)),
                "before": In(signed(formats.state_bits)),
                **set_port(formats.design),
                "exact": Out(signed(formats.c_bits)),
                "rounded": Out(signed(CONSTANT_BITS)),
            }
        )

    def elaborate(self, _platform: Any) -> Module:
        """Two products, their sum, rounding. The register of the sum is the second one behind the multipliers."""
        m = Module()
        formats = self._formats
        exact2 = unrounded(m, formats, (self.f, self.before), (self.i, self.g))
        m.d.comb += self.exact.eq(exact2)
        states = [formats_of_set.state for formats_of_set in formats.sets]
        to = [(formats.c_frac - state.frac, state.low, state.high) for state in states]
        codes = rounded_codes(m, exact2, to, "rounding")
        m.d.comb += self.rounded.eq(chosen_later(m, set_of(formats.design, self), codes, "chosen"))
        return m
