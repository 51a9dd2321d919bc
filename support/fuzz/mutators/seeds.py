"""The sound design folders that cases damage: a network, the same with a stored image, and a program of chains."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ese_hls.build import pack_folder
from ese_host.bundle import PROVENANCE
from ese_host.bundle import manifest as manifests
from ese_host.files import digest
from ese_host.ir.program import Program
from support.fuzz.mutators.damage import Rng
from support.networks import Spec, network
from support.program_folder import program_folder
from support.programs import two_inputs

PLAIN, STORED, PROGRAM = "plain", "stored", "program"
SPEC = Spec(inputs=4, units=(6,), projection=3, peepholes=True, outputs=3, kind="int4")
RECORD = {
    "format": 1,
    "stage": "quantized",
    "seeds": {"train": 0},
    "versions": {"numpy": "2.0"},
    "accuracy": {"dense": {"train": 1.0, "test": 0.9}, "quantized": 0.875},
    "masks": {"kernel": {"used": {"entries_per_pe": [5, 6, 5]}, "unbalanced": {"entries_per_pe": [9, 3, 4]}}},
}

Contents = dict[str, bytes]


def make_seeds(folder: Path) -> Path:
    """Make the sound folders in an empty folder, which is returned."""
    rng = np.random.default_rng(7)
    for name, program in ((PLAIN, Program.of(network(rng, SPEC))), (PROGRAM, two_inputs(rng))):
        made = program_folder(folder / name, program)
        (made / PROVENANCE).write_text(json.dumps(RECORD))
        text = json.loads((made / manifests.NAME).read_text())
        text["files"][PROVENANCE] = digest(made / PROVENANCE)
        (made / manifests.NAME).write_text(json.dumps(text, indent=2))
    pack_folder(folder / PLAIN, folder / STORED)
    return folder


def contents_of(folder: Path) -> Contents:
    """{name: content} of all files of a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def choose(rng: Rng, *names: str) -> str:
    """One of the sound folders."""
    return str(rng.choice(names))
