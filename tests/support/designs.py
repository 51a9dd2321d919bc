"""The designs that tests compile: each holds every network of its sizes, whatever its weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ese_hls.sizing import choose_design
from ese_host.design import Design
from support.networks import HARD8, SMOOTH16, Spec, network, widened

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
    "dense": (Spec(inputs=9, units=(), hidden=7, outputs=4, sequences=True, kind="int4"), 4),
    "hidden": (Spec(inputs=4, units=(6,), hidden=6, outputs=4, activations=SMOOTH16), 7),
}


def roomy(name: str) -> tuple[Spec, Design]:
    """A spec, and a design that holds every network of its sizes."""
    spec, pes = SPECS[name]
    full = network(np.random.default_rng(0), widened(spec, pattern="full"))
    design = choose_design(full, pes=pes, gap_bits=4)
    return spec, replace(design, entry_depth=4 * design.entry_depth)
