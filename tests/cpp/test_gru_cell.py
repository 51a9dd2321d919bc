# SPDX-License-Identifier: Apache-2.0
"""The cell of a GRU in C++ equals the golden model's, for sums up to the largest ones that the encoder lets through."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from ese_hls.encode import choose_design
from ese_hls.project import config_header
from ese_host.image import SUM_BITS, SUM_FRAC
from ese_host.ir import Activation, Cells, Codes, Fixed, Gru, golden, tables
from support.compiling.programs import MACHINE_WORDS, SANITIZE, compile_program, run_program
from support.networks import HARD, HARD8, SMOOTH, SMOOTH8, SMOOTH16, Rng, Spec, network, recurrent

HERE = Path(__file__).parent
STAGES = {"gru": 3, "gru_before": 4, "reset": 5}
"""Numbers of the stages in csrc/engine/phase.h."""
CELLS = 400
QUICK = [("hard", "gru", "machine-words"), ("smooth16", "lstm+gru", "machine-words"), ("coarse", "gru", "ap_int")]
"""Activations, kinds of cells and integers that every run compiles."""
FUNCTIONS = {"smooth8": SMOOTH8, "smooth16": SMOOTH16, "smooth": SMOOTH, "hard8": HARD8, "hard": HARD} | {
    "sigmoid": (SMOOTH[0], Activation("hard_sigmoid", Fixed(24, 1, signed=False), 5461, 16384)),
    "coarse": (Activation("hard_sigmoid", Fixed(1, 1, signed=False), 16384, 16384), HARD[1]),
}


def random_sums(rng: Rng, shift: int) -> tuple[Codes, Codes]:
    """(4, CELLS) sums and (CELLS,) states; those of the candidate are together below the most that the encoder allows.

    Args:
        rng: source of random numbers.
        shift: by how many bits the sums are smaller than the largest.
    """
    most = (1 << (SUM_BITS - 2 - shift)) - 1
    sums = rng.integers(-most, most + 1, (4, CELLS))
    ends = rng.random((4, CELLS))
    sums[ends < 0.1], sums[ends > 0.9] = -most, most
    return sums, rng.integers(-(1 << 15), 1 << 15, CELLS)


def expected(rng: Rng, spec: Spec, sums: Codes, h: Codes) -> tuple[Codes, Codes | None]:
    """The golden model's cells, whose sums are biases here: the new h, and r * h without `reset_after`."""
    drawn = recurrent(rng, "gru", spec.cells[0], spec.inputs, CELLS, spec.source, spec, last=True)
    assert isinstance(drawn, Gru)
    if not drawn.reset_after:  # there is no bias of the recurrent part then
        sums = np.stack([sums[0], sums[1], sums[2] + sums[3], np.zeros_like(h)])
    layer = replace(drawn, bias=sums.reshape(-1), bias_frac=SUM_FRAC)
    nothing = np.zeros((1, len(layer.kernel.codes)), np.int64), 0
    beside = np.zeros((1, len(layer.recurrent.codes)), np.int64), 0
    exact, traced = golden._gru_cell(layer, nothing, beside, h[None], tables.tanh_table())
    return exact[0], traced["reset_exact"][0] if traced else None


@pytest.mark.parametrize(
    ("functions", "cells", "words"),
    [
        pytest.param(*case, marks=[] if case in QUICK else pytest.mark.slow)
        for case in product(FUNCTIONS, ("gru", "lstm+gru"), ("machine-words", "ap_int"))
    ],
)
def test_cells_equal_the_golden_models(functions: str, cells: Cells, words: str, tmp_path: Path) -> None:
    spec = Spec(inputs=1, units=(4,), cells=("gru",), activations=FUNCTIONS[functions], density=0.0)
    design = replace(choose_design(network(np.random.default_rng(0), spec), pes=4), cells=cells)
    (tmp_path / "config.h").write_text(config_header.render(design))
    flags = [*MACHINE_WORDS, *SANITIZE] if words == "machine-words" else []
    program = compile_program([HERE / "gru_cell.cpp"], tmp_path, [*flags, f"-I{tmp_path}"])
    gate, cell = FUNCTIONS[functions]
    table = tables.tanh_table()
    sent = [gate.slope, gate.offset, cell.slope, cell.offset, *(table[0] | table[1] << tables.VALUE_FRAC)]
    wanted: list[Codes] = []
    rng = np.random.default_rng(2)
    for shift in (0, 4, 8, 10, 12, 20):
        sums, h = random_sums(rng, shift)
        for kind in ("gru", "gru_before"):
            exact, reset = expected(rng, replace(spec, cells=(kind,)), sums, h)
            if reset is not None:
                sent += np.stack([np.full(CELLS, STAGES["reset"]), *sums, h], axis=1).reshape(-1).tolist()
                wanted.append(reset)
            sent += np.stack([np.full(CELLS, STAGES[kind]), *sums, h], axis=1).reshape(-1).tolist()
            wanted.append(exact)
    np.array(sent, np.int64).tofile(tmp_path / "in")
    run_program(program, tmp_path / "in", tmp_path / "out")
    np.testing.assert_array_equal(np.fromfile(tmp_path / "out", np.int64), np.concatenate(wanted))
