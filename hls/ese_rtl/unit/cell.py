"""The new c of an LSTM cell, what it shares with a GRU's, and the formats of the products in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ese_host.errors import UnsupportedError
from ese_host.image import CONSTANT_BITS, SUM_BITS, SUM_FRAC, Design
from ese_host.ir import unrounded_cell
from ese_rtl.pipeline import later
from ese_rtl.unit.arithmetic import ROUNDING_CLOCKS, Rounding, code_bits

EXACT_CLOCKS = 2
CELL_CLOCKS = EXACT_CLOCKS + ROUNDING_CLOCKS


@dataclass(frozen=True)
class CellFormats:
    """Widths and binary points in a cell of a design, in which c is i * g + f * c: an LSTM's.

    Attributes:
        design: the design.

    Raises:
        UnsupportedError: if the binary points of the formats are too far apart.
    """

    design: Design

    def __post_init__(self) -> None:
        self._check_h()
        if self.design.cell.hard and self.c_frac < 0:
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
    def gate_bits(self) -> int:
        """Bits of i, f and o, two's complement."""
        return code_bits(self.design.gate.low, self.design.gate.high)

    @property
    def factor_bits(self) -> int:
        """Bits of g and of the activation of c, two's complement."""
        return code_bits(self.design.cell.low, self.design.cell.high)

    @property
    def forget_frac(self) -> int:
        """Fractional bits of f * c."""
        return self.design.gate.out.frac + self.design.state.frac

    @property
    def candidate_frac(self) -> int:
        """Fractional bits of i * g."""
        return self.design.gate.out.frac + self.design.cell.out.frac

    @property
    def h_bits(self) -> int:
        """Bits of h before it is rounded, two's complement."""
        return self.gate_bits + self.factor_bits

    @property
    def exact_frac(self) -> int:
        """Fractional bits of h before it is rounded."""
        return self.candidate_frac

    @property
    def h_shift(self) -> int:
        """By how much h is shifted left, so that each of its formats is reached by a shift to the right."""
        return max(0, self.design.state.frac - self.exact_frac, self.design.output.frac - self.exact_frac)

    @property
    def h_frac(self) -> int:
        """Fractional bits of h after that shift."""
        return self.exact_frac + self.h_shift

    @property
    def c_frac(self) -> int:
        """Fractional bits of c before it is rounded."""
        return self._unrounded[1]

    @property
    def c_bits(self) -> int:
        """Bits of c before it is rounded, two's complement."""
        return self._unrounded[0]

    @property
    def _unrounded(self) -> tuple[int, int]:
        return unrounded_cell(self.design.state, self.design.gate, self.design.cell)


class GruFormats(CellFormats):
    """Widths and binary points in a GRU's cell of a design, in which h is (1 - z) * g + z * h."""

    def __post_init__(self) -> None:
        self._check_h()

    @property
    def one(self) -> int:
        """1, as a code in the format of z and r."""
        return 1 << self.design.gate.out.frac

    @property
    def gate_bits(self) -> int:
        """Bits of z, r and 1 - z, two's complement."""
        return max(super().gate_bits, code_bits(0, self.one))

    @property
    def c_bits(self) -> int:
        """Bits of h before it is rounded, two's complement: gates of few bits may give less to it than 1 - z does."""
        added = max(-self.design.cell.low, self.design.cell.high) << self.c_frac - self.candidate_frac
        return max(super().c_bits, (self.one * added).bit_length() + 1)

    @property
    def a_bits(self) -> int:
        """Bits of the candidate's sum, two's complement; above the binary point no image needs more than for a row."""
        return SUM_BITS + self.design.gate.out.frac

    @property
    def a_frac(self) -> int:
        """Fractional bits of the candidate's sum."""
        return SUM_FRAC + self.design.gate.out.frac

    @property
    def h_bits(self) -> int:
        """Bits of h before it is rounded, two's complement."""
        return self.c_bits

    @property
    def exact_frac(self) -> int:
        """Fractional bits of h before it is rounded."""
        return self.c_frac

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
    """f * c + i * g: exact two clocks later, rounded to the state's format four clocks later."""

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
                "before": In(signed(CONSTANT_BITS)),
                "exact": Out(signed(formats.c_bits)),
                "rounded": Out(signed(CONSTANT_BITS)),
            }
        )

    def elaborate(self, _platform: Any) -> Module:
        """Two products, their sum, rounding. The register of the sum is the second one behind the multipliers."""
        m = Module()
        formats, state = self._formats, self._formats.design.state
        exact2 = unrounded(m, formats, (self.f, self.before), (self.i, self.g))
        m.submodules.rounding = rounding = Rounding(formats.c_bits, formats.c_frac - state.frac, state.low, state.high)
        m.d.comb += [self.exact.eq(exact2), rounding.value.eq(exact2), self.rounded.eq(rounding.code)]
        return m
