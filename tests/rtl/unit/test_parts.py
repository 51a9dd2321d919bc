# SPDX-License-Identifier: Apache-2.0
"""Lanes, the new c, and what leaves, against Python's integers."""

import functools

import numpy as np
import pytest
from bench import SideBySide
from test_arithmetic import nearest
from unit_harness import design_of, number, wrapped

from ese_host.errors import UnsupportedError
from ese_host.ir import Activation, Fixed, FormatSet
from ese_rtl.unit.cell import CELL_CLOCKS, EXACT_CLOCKS, CellFormats, NewCell
from ese_rtl.unit.lane import Lane, lane_latency
from ese_rtl.unit.leaving import Leaving
from support.networks import HARD, SMOOTH8, SMOOTH16

LANES = ((24, 1, True), (24, 1, False), (36, 2, True), (12, 4, True), (17, 4, False))
DESIGNS = {
    "cell16": design_of(SMOOTH16),
    "cell8": design_of(SMOOTH8, state=Fixed(16, 2), output=Fixed(8, 1, symmetric=True)),
    "cellhard": design_of(HARD, state=Fixed(15, 7, signed=False), output=Fixed(16, 1)),
}


@functools.cache
def bench() -> SideBySide:
    formats = {name: CellFormats(design) for name, design in DESIGNS.items()}
    return SideBySide(
        {
            **{f"lane{at}": Lane(*sizes) for at, sizes in enumerate(LANES)},
            **{name: NewCell(form) for name, form in formats.items()},
            **{f"leaving_{name}": Leaving(design) for name, design in DESIGNS.items()},
        }
    )


def random_numbers(rng: np.random.Generator, bits: int, count: int) -> list[int]:
    return [number(rng, -(1 << bits - 1), (1 << bits - 1) - 1) for _ in range(count)]


@pytest.mark.parametrize("at", range(len(LANES)))
def test_lane(at: int) -> None:
    acc_bits, banks, peephole = LANES[at]
    rng = np.random.default_rng(at)
    for run in range(20):
        fixed = {"bank_shift": rng.integers(0, 64, banks).tolist(), "bias_shift": int(rng.integers(64))}
        used = peephole and run % 2
        if peephole:
            fixed |= {"peephole_shift": int(rng.integers(64)), "peepholes": int(used)}
        rows, wanted = [], []
        for _ in range(50):
            sums, bias = random_numbers(rng, acc_bits, banks), random_numbers(rng, 16, 1)[0]
            scales = [number(rng, 0, (1 << 16) - 1) for _ in range(banks)]
            rows.append({"sums": sums, "scales": scales, "bias": bias})
            total = sum(a * b << s for a, b, s in zip(sums, scales, fixed["bank_shift"], strict=True))
            total += bias << fixed["bias_shift"]
            if peephole:
                rows[-1]["peephole"], rows[-1]["cell"] = seen = random_numbers(rng, 16, 2)
                total += used * (seen[0] * seen[1] << fixed["peephole_shift"])
            wanted.append(wrapped(total))
        found = bench().stream(f"lane{at}", lane_latency(banks, peephole), rows, **fixed)
        assert [row["row_sum"] for row in found] == wanted


@pytest.mark.parametrize("name", DESIGNS)
def test_new_cell(name: str) -> None:
    design = DESIGNS[name]
    gate, cell, state = design.gate, design.cell, design.state
    rng = np.random.default_rng(1)
    bounds: dict[str, Activation | Fixed] = {"i": gate, "f": gate, "g": cell, "before": state}
    rows = [{port: number(rng, form.low, form.high) for port, form in bounds.items()} for _ in range(1000)]
    ends = [(form.low, form.high) for form in bounds.values()]
    rows += [dict(zip(bounds, (e[n >> k & 1] for k, e in enumerate(ends)), strict=True)) for n in range(16)]
    fracs = gate.out.frac + state.frac, gate.out.frac + cell.out.frac
    point = max(fracs)
    exact = [(row["f"] * row["before"] << point - fracs[0]) + (row["i"] * row["g"] << point - fracs[1]) for row in rows]
    found = bench().stream(name, EXACT_CLOCKS, rows)
    assert [row["exact"] for row in found] == exact
    found = bench().stream(name, CELL_CLOCKS, rows)
    rounded = [nearest(value, point - state.frac) for value in exact]
    assert [row["rounded"] for row in found] == [min(max(value, state.low), state.high) for value in rounded]


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("stores_output", [0, 1])
def test_h_leaves(name: str, stores_output: int) -> None:
    design = DESIGNS[name]
    frac = design.gate.out.frac + design.cell.out.frac
    rng = np.random.default_rng(2)
    most = design.gate.high * design.cell.high
    given = [-most, most, 0, *(number(rng, -most, most) for _ in range(500))]
    rows = [{"h": h, "rows": [5, -5]} for h in given]
    settings = {"lstm": 1, "relu": 1, "stored_shift": 9, "low": 1, "high": 2, "stores_output": stores_output}
    found = bench().stream(f"leaving_{name}", Leaving.latency, rows, settings=settings)
    output = [int(design.output.quantize(h, frac)) for h in given]
    stored = output if stores_output else [int(design.state.quantize(h, frac)) for h in given]
    assert [(row["exact"][0], row["stored"][0], row["output"][0]) for row in found] == list(
        zip(given, stored, output, strict=True)
    )


@pytest.mark.parametrize("relu", [0, 1])
def test_rows_leave(relu: int) -> None:
    rng = np.random.default_rng(3)
    given = [random_numbers(rng, 48, 2) for _ in range(500)]
    rows = [{"h": 12345, "rows": pair} for pair in given]
    settings = {"lstm": 0, "relu": relu, "stored_shift": 20, "low": -100, "high": 65535, "stores_output": 1}
    for name in DESIGNS:
        found = bench().stream(f"leaving_{name}", Leaving.latency, rows, settings=settings)
        exact = [[max(value, 0) if relu else value for value in pair] for pair in given]
        stored = [[min(max(nearest(value, 20), -100), 65535) for value in pair] for pair in exact]
        assert [(row["exact"], row["stored"], row["output"]) for row in found] == list(
            zip(exact, stored, stored, strict=True)
        )


def test_binary_points_too_far_apart_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="h would need 52 bits before it is rounded; the RTL engine has 48"):
        CellFormats(design_of(HARD, output=Fixed(16, -32)))
    coarse = Activation("hard_sigmoid", Fixed(2, 4, signed=False)), Activation("hard_tanh", Fixed(2, 2))
    with pytest.raises(UnsupportedError, match="c would have -2 fractional bits before it is rounded"):
        CellFormats(design_of(coarse, state=Fixed(16, 17)))
    fine = FormatSet(gate=Activation("sigmoid", Fixed(16, -6, signed=False)))
    with pytest.raises(UnsupportedError, match=r"^design: a gate would have 23 bits; at most 18 are allowed"):
        CellFormats(design_of(more_sets=(fine,)))
