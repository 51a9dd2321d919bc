# SPDX-License-Identifier: Apache-2.0
"""The element-wise unit with tables and stalls around it, and what the golden model's functions say about its items."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from amaranth.hdl import EnableInserter, Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ese_host.image import CELL_KINDS, SUM_BITS, SUM_FRAC, Design
from ese_host.ir import ELEMENT_BITS, Activation, Codes, Fixed, tanh_table, without_line
from ese_host.ir.activations import activate
from ese_rtl.records import Result, item_layout, settings_layout
from ese_rtl.unit import Unit
from support.networks import SMOOTH16, Rng

TABLE = tanh_table()
Item = dict[str, Any]


def design_of(activations: tuple[Activation, Activation] = SMOOTH16, **changes: Any) -> Design:
    """A small design with some fields changed."""
    gate, cell = (without_line(activation) for activation in activations)
    fields: dict[str, Any] = {
        **{"weights": "ternary", "gap_bits": 4, "pes": 4, "cells_per_cycle": 1, "acc_bits": 24, "acc_banks": 1},
        **{"entry_depth": 64, "group_depth": 16, "vector_depth": 64, "param_depth": 64, "cell_depth": 64, "phases": 4},
        **{"source": Fixed(16, 2), "state": Fixed(16, 4), "output": Fixed(16, 1), "gate": gate, "cell": cell},
    }
    return Design(**{**fields, **changes})


class Tabled(wiring.Component):
    """A unit and its table, which stand still unless `go` is set."""

    def __init__(self, design: Design) -> None:
        self.unit = Unit(design)
        ports = {"go": In(1), "item": In(item_layout(design)), "settings": In(settings_layout(design))}
        signature = self.unit.signature.members
        super().__init__(
            {**ports, **{name: signature[name] for name in ("cell_valid", "cell_new")}, "result": Out(Result)}
        )

    def elaborate(self, _platform: Any) -> Module:
        m, inner = Module(), Module()
        inner.submodules.unit = unit = self.unit
        words = [int(value) | int(step) << 19 for value, step in TABLE.T]
        inner.submodules.table = table = Memory(shape=32, depth=len(words), init=words)
        for lookup in unit.lookups:
            port = table.read_port()
            inner.d.comb += [port.addr.eq(lookup.segment), lookup.word.eq(port.data)]
        m.submodules.inner = EnableInserter(self.go)(inner)
        m.d.comb += [unit.item.eq(self.item), unit.settings.eq(self.settings)]
        for name in ("cell_valid", "cell_new", "result"):
            m.d.comb += getattr(self, name).eq(getattr(unit, name))
        return m


@dataclass(frozen=True)
class StageItems:
    """Items that are in flight under the same settings.

    Attributes:
        settings: the settings.
        items: the items, each a dictionary of its fields.
    """

    settings: dict[str, Any]
    items: list[Item] = field(default_factory=list)


def wrapped(value: int) -> int:
    """A sum modulo 2**SUM_BITS."""
    half = 1 << SUM_BITS - 1
    return (value + half) % (2 * half) - half


def row_sum(item: Item, row: int, settings: dict[str, Any]) -> int:
    """The sum of a row's scaled accumulators and its bias. That of a GRU's last row has a shift of its own.

    Args:
        item: the item.
        row: which of its rows.
        settings: give the shifts.
    """
    shifts = settings["bank_shift"]
    if row == 3 and settings["lstm"] and settings.get("cell_kind"):
        shifts = [settings["peephole_shift"]] * len(shifts)
    pairs = zip(item["sums"][row], item["scales"][row], shifts, strict=False)
    return wrapped(sum(a * b << shift for a, b, shift in pairs) + (item["biases"][row] << settings["bias_shift"]))


def expected_cells(design: Design, lines: tuple[Activation, Activation], stage: StageItems) -> list[dict[str, Any]]:
    """The results of LSTM items.

    Args:
        design: the design.
        lines: its activations, with slope and offset.
        stage: settings and items.
    """
    settings, (gate, cell), state = stage.settings, lines, design.state

    def z(row: int, seen: Codes, peephole: int | None) -> Codes:
        sums = []
        for item, c in zip(stage.items, seen.tolist(), strict=True):
            total = row_sum(item, row, settings)
            if settings["peepholes"] and peephole is not None:
                total += item["peepholes"][peephole] * c << settings["peephole_shift"]
            sums.append(wrapped(total))
        return np.array(sums, dtype=np.int64)

    before = np.array([item["cell"] for item in stage.items], dtype=np.int64)
    i, f = (activate(z(row, before, row), SUM_FRAC, gate, TABLE) for row in (0, 1))
    g = activate(z(2, before, None), SUM_FRAC, cell, TABLE)
    fracs = gate.out.frac + state.frac, gate.out.frac + cell.out.frac
    point = max(fracs)
    c = (f * before << point - fracs[0]) + (i * g << point - fracs[1])
    stored_c = state.quantize(c, point)
    h = activate(z(3, stored_c, 2), SUM_FRAC, gate, TABLE) * activate(c, point, cell, TABLE)
    output = design.output.quantize(h, fracs[1])
    stored = output if settings["stores_output"] else state.quantize(h, fracs[1])
    names = ("exact", "stored", "output", "cell")
    return [dict(zip(names, values, strict=True)) for values in np.stack([h, stored, output, stored_c], 1).tolist()]


def expected_grus(design: Design, lines: tuple[Activation, Activation], stage: StageItems) -> list[dict[str, Any]]:
    """The results of items of a GRU's cells, or of r * h.

    Args:
        design: the design.
        lines: its activations, with slope and offset.
        stage: settings and items.
    """
    settings, (gate, cell), state = stage.settings, lines, design.state
    kind, frac = CELL_KINDS[settings["cell_kind"]], design.gate.out.frac
    h = np.array([item["cell"] for item in stage.items], dtype=np.int64)
    sums = [np.array([row_sum(item, row, settings) for item in stage.items], dtype=np.int64) for row in range(4)]
    z, r = (activate(sums[row], SUM_FRAC, gate, TABLE) for row in (0, 1))
    if kind == "reset":
        exact = r * h
        output = stored = np.array([rounded(value, settings) for value in exact.tolist()], dtype=np.int64)
        kept = np.zeros_like(exact)
    else:
        total = (sums[2] << frac) + (sums[3] * r if kind == "gru" else sums[3] << frac)
        candidate = activate(total, SUM_FRAC + frac, cell, TABLE)
        point = max(state.frac, cell.out.frac)
        exact = (z * h << point - state.frac) + (((1 << frac) - z) * candidate << point - cell.out.frac)
        output = design.output.quantize(exact, frac + point)
        kept = stored = output if settings["stores_output"] else state.quantize(exact, frac + point)
    names = ("exact", "stored", "output", "cell")
    return [dict(zip(names, v, strict=True)) for v in np.stack([exact, stored, output, kept], 1).tolist()]


def rounded(value: int, settings: dict[str, Any]) -> int:
    """A value rounded as the record says: half to even, then saturated."""
    whole, rest = divmod(value, unit := 1 << settings["stored_shift"])
    nearest = whole + (2 * rest > unit or (2 * rest == unit and whole % 2))
    return int(min(max(nearest, settings["low"]), settings["high"]))


def expected_rows(stage: StageItems) -> list[list[tuple[int, int]]]:
    """The results of items of another matrix: for each of its rows the exact and the stored output."""
    results = []
    for item in stage.items:
        rows = []
        for row in range(1 + item["pair"]):
            exact = row_sum(item, row, stage.settings)
            if stage.settings["relu"]:
                exact = max(exact, 0)
            rows.append((exact, rounded(exact, stage.settings)))
        results.append(rows)
    return results


def number(rng: Rng, low: int, high: int) -> int:
    """A number of a random magnitude within bounds, one of them now and then."""
    bits = int(rng.integers(0, max(-low, high).bit_length() + 2))
    value = int.from_bytes(rng.bytes(10), "little", signed=True) >> 79 - bits if rng.random() < 0.95 else high
    return min(max(value if rng.random() < 0.95 else low, low), high)


def random_settings(
    rng: Rng, kind: str, design: Design, lines: tuple[Activation, Activation], wild: bool
) -> dict[str, Any]:
    """Settings of a stage.

    Args:
        rng: source of random numbers.
        kind: of its cells, or "dense".
        design: the design.
        lines: activations with slope and offset.
        wild: whether shifts are anything that a record may hold, rather than what keeps sums in the activations' range.
    """
    most = 64 if wild else 18
    low, high = sorted(int(v) for v in rng.integers(-(1 << ELEMENT_BITS + 1), 1 << ELEMENT_BITS + 1, 2))
    stored = Fixed(int(rng.integers(1, 17)), 4, signed=bool(rng.integers(2)), symmetric=bool(rng.integers(2)))
    if not wild:
        low, high = stored.low, stored.high
    return {
        "lstm": int(kind != "dense"),
        **({"cell_kind": CELL_KINDS.index(kind) if kind != "dense" else 3} if "gru" in design.cells else {}),
        "bank_shift": rng.integers(0, most // 2, 4).tolist(),
        "bias_shift": int(rng.integers(0, most) + 8 * (not wild)),
        "peephole_shift": int(rng.integers(0, most // 2)),
        "stored_shift": int(rng.integers(0, 64 if wild else 36)),
        "relu": int(rng.integers(2)),
        "peepholes": int(rng.integers(2)),
        "stores_output": int(rng.integers(2)),
        "low": low,
        "high": high,
        **{
            name: {"slope": line.slope, "offset": line.offset}
            for name, line in zip(("gate_line", "cell_line"), lines, strict=True)
        },
    }


def random_items(rng: Rng, design: Design, settings: dict[str, Any], count: int) -> list[Item]:
    """Items of random numbers; the sum of a GRU's candidate has no more bits than that of a row, as in a sound image.

    Args:
        rng: source of random numbers.
        design: gives widths and formats.
        settings: of the stage.
        count: number of items.
    """
    items: list[Item] = []
    while len(items) < count:
        item = random_item(rng, design)
        if "gru" not in design.cells or sum(abs(row_sum(item, row, settings)) for row in (2, 3)) < 1 << SUM_BITS - 1:
            items.append(item)
    return items


def random_item(rng: Rng, design: Design) -> Item:
    """An item of random numbers, extreme ones among them.

    Args:
        rng: source of random numbers.
        design: gives widths and formats.
    """
    half, constant = 1 << design.acc_bits - 1, 1 << 15
    return {
        "valid": 1,
        "pair": int(rng.integers(2)),
        "sums": [[number(rng, -half, half - 1) for _ in range(design.acc_banks)] for _ in range(4)],
        "scales": [[abs(number(rng, 0, 2 * constant - 1)) for _ in range(design.acc_banks)] for _ in range(4)],
        "biases": [number(rng, -constant, constant - 1) for _ in range(4)],
        **({"peepholes": [number(rng, -constant, constant - 1) for _ in range(3)]} if "lstm" in design.cells else {}),
        "cell": min(max(number(rng, -constant, constant), design.state.low), design.state.high),
    }
