# SPDX-License-Identifier: Apache-2.0
"""The engines that are counted: those of ESE's layer, and smaller ones of the same formats."""

from __future__ import annotations

from dataclasses import replace

from ese_host.estimate import DesignOptions, Pruning, design_of, of_sizes
from ese_host.image import USUAL_WINDOW, Design, LstmSize
from ese_host.ir import Activation, Fixed, FormatSet, WeightKind

ESE_LAYER = LstmSize(153, 1024, 512, True)
"""153 inputs, 1024 cells with peepholes, projected to 512."""

SECOND_SET = FormatSet(
    state=Fixed(8, 3),
    output=Fixed(8, 1),
    gate=Activation("hard_sigmoid", Fixed(8, 0, signed=False)),
    cell=Activation("hard_tanh", Fixed(8, 1)),
)
"""Formats of 8 bits with hard activations, beside ESE's layer of 16 bits with smooth ones."""


def ese_design(kind: WeightKind, pes: int = 64, window: int = 0, units: int = 1) -> Design:
    """The design of ESE's layer at a density of 10%, with 5 gap bits.

    Args:
        kind: of the weights.
        pes: number of PEs.
        window: columns of the activation window; 0 for none.
        units: number of element-wise units.
    """
    pruning = Pruning(0.1, kind=kind, window=window)
    _, plan, matrices = of_sizes([ESE_LAYER], pruning, pes, units)
    return design_of(plan, matrices, pruning, DesignOptions(pes, units, 100))


def delta_design(pes: int) -> Design:
    """The design of ESE's layer as a delta LSTM, with ternary weights: a set has rows of its own for it, twice as many.

    Args:
        pes: number of PEs.
    """
    stream = ese_design("ternary", pes)
    return replace(stream, mode="skip", group_depth=2 * stream.group_depth, pointer_depth=2048, delta_depth=1024)


def _cases() -> dict[str, Design]:
    ternary, int4, codebook4 = (ese_design(kind) for kind in ("ternary", "int4", "codebook4"))
    hard = replace(
        ternary,
        pes=8,
        acc_bits=16,
        source=Fixed(8, 2),
        state=Fixed(8, 2),
        output=Fixed(8, 1),
        gate=Activation("hard_sigmoid", Fixed(8, 0, signed=False), slope=1 << 14, offset=1 << 14),
        cell=Activation("hard_tanh", Fixed(8, 1), slope=1 << 15),
    )
    small = {f"ternary-{pes}": replace(ternary, pes=pes) for pes in (4, 8, 16, 32)}
    return {
        **small,
        "int4-8": replace(int4, pes=8),
        "codebook4-8": replace(codebook4, pes=8),
        "ternary-8-full": replace(ternary, pes=8, full_phases=True),
        "ternary-8-banks": replace(ternary, pes=8, acc_banks=2),
        "ternary-8-hard": hard,
        "ternary-8-sets": replace(ternary, pes=8, more_sets=(SECOND_SET,)),
        "ternary-8-gru": replace(ternary, pes=8, cells="gru"),
        "ternary-8-both": replace(ternary, pes=8, cells="lstm+gru"),
        "ternary-8-gru-hard": replace(hard, cells="gru"),
        "ternary-8-window": replace(ternary, pes=8, window=USUAL_WINDOW),
        "ternary-8-window-2": replace(ternary, pes=8, window=USUAL_WINDOW, cells_per_cycle=2),
        "delta-8": replace(delta_design(64), pes=8),
        "ternary-64": ternary,
        "int4-64": int4,
        "ternary-128": ese_design("ternary", 128),
        "ternary-64-gru": replace(ternary, cells="gru"),
        "ternary-64-both": replace(ternary, cells="lstm+gru"),
        "ternary-64-window": ese_design("ternary", 64, USUAL_WINDOW),
        "int4-64-window": ese_design("int4", 64, USUAL_WINDOW),
        "ternary-128-window-2": ese_design("ternary", 128, USUAL_WINDOW, 2),
        "delta-64": delta_design(64),
    }


CASES = _cases()
"""Designs by name: the kind of weights, the number of PEs, and what else sets the design apart."""
