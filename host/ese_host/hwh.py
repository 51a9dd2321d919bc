"""The hardware handoff (.hwh) that pynq reads beside a bitstream, for the block design of `ese_host.blockdesign`."""

from __future__ import annotations

from functools import cache

import jinja2

from ese_host import blockdesign
from ese_host.design import Design


@cache
def templates() -> jinja2.Environment:
    """The package's Jinja2 templates; an undefined name is an error."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("ese_host", "templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=jinja2.select_autoescape(("html", "hwh"), default_for_string=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(board: str, design: Design) -> str:
    """The text of design.hwh for one board.

    Raises:
        UnsupportedError: the board is not known.
    """
    processor = blockdesign.processor_of(board)
    divisors = _divisors(1000 if processor is blockdesign.ZYNQ_7000 else 1500, design.clock_mhz)
    return (
        templates()
        .get_template("design.hwh")
        .render(
            bd=blockdesign,
            ps=processor,
            design=design,
            divisors=divisors,
            zynq7=processor is blockdesign.ZYNQ_7000,
        )
    )


def _divisors(pll_mhz: int, clock_mhz: int) -> tuple[int, int]:
    """The two 6-bit dividers of a fabric clock whose product comes closest."""
    pairs = [(first, second) for first in range(1, 64) for second in range(1, first + 1)]
    return min(pairs, key=lambda pair: abs(pll_mhz / (pair[0] * pair[1]) - clock_mhz))
