# SPDX-License-Identifier: Apache-2.0
"""The designs that tests compile. Each of them holds every network of its sizes, whatever the weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ese_hls.encode import choose_design
from ese_host.image import MAX_PES, Design
from ese_host.ir import Fixed
from support.networks import COARSE, HARD, HARD8, SMOOTH, SMOOTH16, Spec, network, widened

SPECS = {
    "keras-lstm": (Spec(inputs=5, units=(8,), outputs=3), 4),
    "one-pe": (Spec(inputs=3, units=(4,), outputs=2, kind="int4"), 1),
    "uneven": (Spec(inputs=7, units=(10,), outputs=9, kind="int4", activations=HARD8), 3),
    "more-pes-than-rows": (Spec(inputs=2, units=(5,), outputs=3, sequences=True), 16),
    "google-lstm": (
        Spec(inputs=6, units=(9,), projection=5, peepholes=True, outputs=0, sequences=True, activations=SMOOTH16),
        4,
    ),
    "stacked": (Spec(inputs=4, units=(6, 5), outputs=4, sequences=True, kind="codebook4"), 5),
    "ttq": (Spec(inputs=4, units=(6,), outputs=4, two_scales=True), 2),
    "dense": (Spec(inputs=9, units=(), hidden=(7,), outputs=4, sequences=True, kind="int4"), 4),
    "int8": (Spec(inputs=6, units=(7,), hidden=(9,), outputs=4, kind="int8"), 3),
    "int12": (Spec(inputs=4, units=(5,), outputs=6, two_scales=True, kind="int12", activations=HARD), 2),
    "int16": (Spec(inputs=5, units=(6,), outputs=3, sequences=True, kind="int16", activations=SMOOTH16), 4),
    "hidden": (Spec(inputs=4, units=(6,), hidden=(6,), outputs=4, activations=SMOOTH), 7),
}
"""Designs in stream mode: specification of the network, and number of PEs."""
SKIP_SPECS = {
    "fc": (Spec(inputs=21, units=(), hidden=(18, 11), outputs=5, sequences=True), 4, 8),
    "fc-one-pe": (Spec(inputs=6, units=(), hidden=(9,), outputs=3, sequences=True, kind="int4"), 1, 1),
    "fc-codebook": (
        Spec(inputs=13, units=(), hidden=(20, 7, 9), sequences=True, kind="codebook4", stored=Fixed(16, 2, False)),
        3,
        2,
    ),
    "fc-int8": (Spec(inputs=14, units=(), hidden=(15, 8), outputs=5, sequences=True, kind="int8"), 4, 2),
    "fc-shallow": (Spec(inputs=30, units=(), hidden=(50,), outputs=19, sequences=True, two_scales=True), 8, 1),
    "zero-skipping-lstm": (Spec(inputs=7, units=(6, 5), hidden=(6,), outputs=4), 3, 4),
    "delta-lstm": (Spec(inputs=6, units=(9,), outputs=3, sequences=True, delta=(0, 0)), 4, 8),
    "delta-int16": (Spec(inputs=6, units=(7,), outputs=3, kind="int16", delta=(700, None)), 2, 4),
    "delta-google": (
        Spec(
            inputs=7, units=(9,), projection=5, peepholes=True, outputs=0, sequences=True, activations=SMOOTH16,
            delta=(900, 150),
        ), 8, 1,
    ),
    "delta-stacked": (
        Spec(inputs=5, units=(6, 7, 5), hidden=(6,), outputs=4, kind="int4", activations=HARD8, delta=(None, 60)), 3, 2,
    ),
}  # fmt: skip
"""Designs in skip mode: specification of the network, number of PEs, and FIFO depth in columns."""
WINDOW_SPECS = {
    "window": (Spec(inputs=24, units=(20,), outputs=7, sequences=True), 8, 8),
    "window-google": (
        Spec(inputs=70, units=(37,), projection=21, peepholes=True, outputs=0, sequences=True, two_scales=True), 16, 64,
    ),
    "window-int4": (Spec(inputs=25, units=(18, 9), hidden=(30,), outputs=5, kind="int4", activations=HARD8), 3, 8),
    "window-codebook": (
        Spec(inputs=13, units=(), hidden=(20, 7, 9), sequences=True, kind="codebook4", stored=Fixed(16, 2, False)),
        4, 8,
    ),
    "window-int16": (Spec(inputs=12, units=(9,), outputs=4, kind="int16", activations=SMOOTH16), 2, 8),
}  # fmt: skip
"""Designs with an activation window: specification of the network, number of PEs, and columns of the window."""

GRU_SPECS = {
    "gru": (Spec(inputs=5, units=(8,), cells=("gru",), outputs=3), 4),
    "gru-before": (
        Spec(inputs=7, units=(10,), cells=("gru_before",), outputs=0, output=None, kind="int8", activations=HARD), 3,
    ),
    "gru-hard": (
        Spec(
            inputs=4, units=(7,), cells=("gru",), outputs=0, output=Fixed(16, 4), sequences=True, two_scales=True,
            activations=HARD,
        ), 4,
    ),
    "gru-one-pe": (
        Spec(
            inputs=3, units=(4,), cells=("gru_before",), outputs=2, kind="int4", activations=COARSE, state=Fixed(6, 4),
        ), 1,
    ),
    "gru-stacked": (
        Spec(
            inputs=4, units=(6, 5, 7), cells=("gru_before", "gru", "gru_before"), hidden=(6,), outputs=4,
            output=Fixed(16, 4), kind="codebook4", activations=SMOOTH,
        ), 5,
    ),
    "gru-lstm": (
        Spec(
            inputs=6, units=(6, 9, 5), cells=("gru_before", "lstm", "gru"), peepholes=True, outputs=4, sequences=True,
            kind="int16", reset=Fixed(6, 3, symmetric=True),
        ), 4,
    ),
    "lstm-gru": (
        Spec(
            inputs=5, units=(9, 6), cells=("lstm", "gru_before"), projection=7, peepholes=True, outputs=0,
            activations=SMOOTH16,
        ), 6,
    ),
    "gru-int12": (
        Spec(
            inputs=4, units=(5, 6), cells=("gru", "lstm"), outputs=6, two_scales=True, kind="int12", activations=HARD,
        ), 16,
    ),
}  # fmt: skip
"""Designs with GRU cells in stream mode, as in `SPECS`."""
GRU_SKIP_SPECS = {
    "zero-skipping-gru": (Spec(inputs=7, units=(6, 5), cells=("gru_before", "gru"), hidden=(6,), outputs=4), 3, 4),
    "delta-gru": (Spec(inputs=6, units=(9,), cells=("gru",), outputs=3, sequences=True, delta=(0, 0)), 4, 8),
    "delta-gru-hard": (
        Spec(
            inputs=5, units=(7, 6), cells=("gru", "gru"), outputs=0, output=Fixed(16, 4), kind="int16",
            activations=HARD, delta=(700, None),
        ), 2, 2,
    ),
    "delta-gru-lstm": (
        Spec(
            inputs=5, units=(6, 7, 5), cells=("lstm", "gru", "lstm"), hidden=(6,), outputs=4, kind="int4",
            activations=HARD8, delta=(None, 60),
        ), 3, 1,
    ),
}  # fmt: skip
"""Designs with GRU cells in skip mode, as in `SKIP_SPECS`."""
GRU_WINDOW_SPECS = {
    "window-gru": (
        Spec(inputs=25, units=(18, 9), cells=("gru_before", "gru"), outputs=5, kind="int4", activations=SMOOTH16), 4, 8,
    ),
}  # fmt: skip
"""Designs with GRU cells and an activation window, as in `WINDOW_SPECS`."""
LONG_SPECS = {
    "window-gru-long": (
        Spec(inputs=30, units=(150,), cells=("gru_before",), outputs=0, sequences=True, output=Fixed(16, 4)), 8, 64,
    ),
}  # fmt: skip
"""Designs whose vectors are so long that a window begins to read them while they are written, as in `WINDOW_SPECS`."""

MANY_PES = {
    "most-pes": (Spec(inputs=5, units=(300,), projection=270, peepholes=True, outputs=0, sequences=True), MAX_PES, 0),
    "fc-many-pes": (Spec(inputs=9, units=(), hidden=(140,), outputs=133, sequences=True), 132, 1),
}
"""Designs with as many PEs as an engine can have, and in skip mode with more than 128, as in `SKIP_SPECS`."""
SKIPPING = {*SKIP_SPECS, *GRU_SKIP_SPECS, "fc-many-pes"}
"""Names of the designs in skip mode."""

SPARSE_ONLY = {"keras-lstm", "uneven", "fc", "delta-stacked", "zero-skipping-lstm", "window-int16", "gru", "delta-gru"}
"""Designs without full phases."""
DEEPER = {"dense": 1024 + 128}
"""Items of scales and biases of designs that have more than they need."""
PATTERNS = ["random", "full", "column", "row", "corner", "nearly", "mixed"]
"""Placements of the non-zero weights, as `support.networks.mask` understands them."""


def roomy(name: str, cells_per_cycle: int | None = None, pes: int | None = None) -> tuple[Spec, Design]:
    """The specification of a name in one of the tables, and a design that holds every network of its sizes.

    The design is chosen for matrices without zeros, stored as entries, and its entry memory is made four times as deep.

    Args:
        name: the name.
        cells_per_cycle: element-wise units of the design; see `choose_design`.
        pes: number of PEs, if it is not the name's.
    """
    skip = name in SKIPPING
    alone = SPECS | GRU_SPECS
    others = SKIP_SPECS | GRU_SKIP_SPECS | WINDOW_SPECS | GRU_WINDOW_SPECS | LONG_SPECS | MANY_PES
    spec, own_pes, size = others[name] if name in others else (*alone[name], 0)
    full = network(np.random.default_rng(0), widened(spec, pattern="full"))
    design = choose_design(
        full,
        pes=pes or own_pes,
        gap_bits=4,
        cells_per_cycle=cells_per_cycle,
        mode="skip" if skip else "stream",
        fifo_depth=size if skip else 8,
        window=0 if skip else size,
        storage="sparse",
    )
    return spec, replace(
        design,
        entry_depth=4 * design.entry_depth,
        param_depth=DEEPER.get(name, design.param_depth),
        full_phases=name not in SPARSE_ONLY,
    )
