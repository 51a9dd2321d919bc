# SPDX-License-Identifier: Apache-2.0
"""The sound design folders that cases damage: a network, the same with a stored image, and a program of chains."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from ese_hls.build import pack_folder
from ese_host import interface
from ese_host.bundle import INTERFACE, PROVENANCE
from ese_host.bundle import manifest as manifests
from ese_host.files import digest
from ese_host.interface import ModelInterface
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
        (made / INTERFACE).write_bytes(interface.dump(_interface(program)))
        text = json.loads((made / manifests.NAME).read_text())
        text["files"] |= {file: digest(made / file) for file in (PROVENANCE, INTERFACE)}
        (made / manifests.NAME).write_text(json.dumps(text, indent=2))
    pack_folder(folder / PLAIN, folder / STORED)
    return folder


def _interface(program: Program) -> ModelInterface:
    """The interface of a program, with scaling of the first input, and names of classes if the first output has any."""
    plain = ModelInterface.of(program)
    first, output = plain.inputs[0], plain.outputs[0]
    scaled = replace(first, mean=(0.5,) * first.width, deviation=(2.0,) * first.width)
    if program.has_classes(program.outputs[0]):
        width = max(2, program.tensors[program.outputs[0].tensor].width)
        output = replace(output, classes=tuple(f"class {place}" for place in range(width)))
    return replace(plain, inputs=(scaled, *plain.inputs[1:]), outputs=(output, *plain.outputs[1:]))


def contents_of(folder: Path) -> Contents:
    """{name: content} of all files of a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def choose(rng: Rng, *names: str) -> str:
    """One of the sound folders."""
    return str(rng.choice(names))
