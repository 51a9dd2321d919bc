# SPDX-License-Identifier: Apache-2.0
"""Sessions of random networks, through every driver: frame by frame as the golden model on the whole sequence."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import ese4ml
from ese_hls.encode import choose_design
from ese_host.device import Driver
from ese_host.image import Mode
from ese_host.ir import Fixed
from ese_host.ir.program import Program, run
from support.networks import HARD, SMOOTH16, Spec, network
from support.program_folder import program_folder

HAS_PYNQ = importlib.util.find_spec("pynq") is not None
STEPS = 9
CASES: dict[str, tuple[Spec, Mode]] = {
    "peepholes, last step": (Spec(peepholes=True), "stream"),
    "projection, every step": (Spec(projection=4, peepholes=True, sequences=True, kind="int4", outputs=0), "stream"),
    "two layers": (Spec(units=(6, 5), sequences=True, kind="codebook4", activations=HARD), "stream"),
    "zeros skipped": (Spec(units=(7,), density=0.6, source=Fixed(8, 1)), "skip"),
    "delta": (Spec(units=(6, 5), sequences=True, delta=(900, 700), activations=SMOOTH16), "skip"),
    "delta of a projection": (Spec(projection=4, delta=(500, None), outputs=2), "skip"),
}


@pytest.mark.filterwarnings("ignore:No devices found")
@pytest.mark.parametrize("driver", ["adapter", "pynq"])
@pytest.mark.parametrize("name", CASES)
def test_frame_by_frame(name: str, driver: Driver, tmp_path: Path) -> None:
    if driver == "pynq" and not HAS_PYNQ:
        pytest.skip("needs pynq")
    spec, mode = CASES[name]
    rng = np.random.default_rng(len(name))
    program = Program.of(network(rng, spec))
    design = choose_design(program.chains[0].network, pes=2, mode=mode)
    folder = program_folder(tmp_path / "design", program, design=design)
    form = program.inputs[0].format
    codes = rng.integers(form.low, form.high + 1, size=(2, STEPS, spec.inputs))
    codes[:, 3:5] = codes[:, 2:4]  # frames that change little or nothing, for delta networks
    with ese4ml.open(folder, driver=driver) as engine, engine.session() as live:
        for sequence in codes:
            live.reset()
            frames = form.to_float(sequence)
            found = np.concatenate([live.step(frames[0])[None], live.feed(frames[1:6]), live.feed(frames[6:])])
            for count in range(1, STEPS + 1):
                expected = run(program, sequence[None, :count]).values()[0, -1].astype(np.float32)
                np.testing.assert_array_equal(found[count - 1], expected)
