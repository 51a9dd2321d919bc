# SPDX-License-Identifier: Apache-2.0
"""Design folders of programs, with encoded images and the real engine, compiled for the design.

`python -m support.program_folder PATH` makes one of a small bidirectional network; with `--chain` behind it, one of an
LSTM and a Dense layer, which is a single chain.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

import numpy as np

from ese_hls.encode import choose_design, encoder
from ese_host.boards import hwh
from ese_host.bundle import Manifest, golden_file, manifest, model_digest
from ese_host.device import record
from ese_host.files import digests
from ese_host.image import Design
from ese_host.ir.program import Program, run
from support.compiled_engine import compiled
from support.networks import Spec, network
from support.programs import bidirectional, program_inputs

SAMPLES = 12


def program_folder(path: Path, program: Program, pes: int = 3, seed: int = 5, design: Design | None = None) -> Path:
    """Make a design folder with a test set, and return its path.

    The test set's labels are the golden model's classes, except that the first label is wrong on purpose.

    Args:
        path: folder to make; must not exist.
        program: the program.
        pes: processing elements of the design.
        seed: of the test set's random inputs.
        design: a design that holds the program, or None to choose one of `pes` processing elements.
    """
    path.mkdir()
    design = design or choose_design(*(chain.network for chain in program.chains), pes=pes)
    words = []
    for number, chain in enumerate(program.chains):
        data = encoder.encode(chain.network, design)
        (path / manifest.image_name(number)).write_bytes(data)
        words.append(np.frombuffer(data, dtype="<u4"))
    golden = golden_file.dump(program)
    (path / manifest.GOLDEN).write_bytes(golden)
    (path / manifest.HWH).write_text(hwh.render("pynq-z2", design))
    shutil.copyfile(compiled(design), path / manifest.BIT)
    (path / manifest.TESTSET).write_bytes(make_test_set(program, seed))
    names = sorted(item.name for item in path.iterdir())
    ids = [int(image[-1]) for image in words]
    described = Manifest(
        "emulated", design, ids[0], model_digest(golden, words), "pynq-z2", "xc7z020clg400-1", 100,
        digests(path, names), further_images=tuple(ids[1:]),
    )  # fmt: skip
    manifest.write(path, described)
    record(described.files[manifest.BIT], path)
    return path


def make_test_set(program: Program, seed: int) -> bytes:
    """Content of a testset.npz of random inputs, whose sequences differ in length."""
    codes, steps = program_inputs(np.random.default_rng(seed), program, SAMPLES, 6)
    result = run(program, codes, steps)
    labels = result.classes()
    labels[0] += 1
    names = ["inputs"] if len(codes) == 1 else [f"inputs_{number}" for number in range(len(codes))]
    arrays = dict(zip(names, codes.values(), strict=True))
    predictions = result.values()[np.arange(SAMPLES), result.output().steps - 1]
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays, steps=steps, labels=labels, keras_predictions=predictions)
    return buffer.getvalue()


if __name__ == "__main__":
    path, *options = sys.argv[1:]
    rng = np.random.default_rng(1)
    chain = Program.of(network(rng, Spec(inputs=5, units=(6,), outputs=3)))
    program_folder(Path(path), chain if options == ["--chain"] else bidirectional(rng))
