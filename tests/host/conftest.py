# SPDX-License-Identifier: Apache-2.0
"""Fixtures: a design folder around a stand-in engine. Only the engine's C++ is not the real one."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from small_design import (
    INPUTS,
    OUTPUTS,
    SOURCE,
    image_words,
    make_test_set,
    small_design,
    small_network,
    write_manifest,
)

from ese_host.boards import hwh
from ese_host.bundle import golden_file, manifest
from ese_host.image.design import SUM_FRAC

PROVENANCE = {
    "format": 1,
    "accuracy": {"dense": {"train": 1.0, "test": 0.97}, "ternary": 0.95},
    "seeds": {"train": 1},
    "masks": {"logits": {"used": {"entries_per_pe": [9, 9]}, "magnitude": {"entries_per_pe": [4, 12]}}},
}


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in engine, compiled once."""
    if shutil.which("g++") is None:
        pytest.skip("g++ is needed for the stand-in engine")
    path = tmp_path_factory.mktemp("engine") / "design.bit"
    source = Path(__file__).with_name("fake_engine.cpp")
    defines = {
        "DESIGN_ID": small_design().design_id,
        "INPUTS": INPUTS,
        "OUTPUTS": OUTPUTS,
        "SHIFT": SUM_FRAC - SOURCE.frac,
    }
    command = [
        "g++",
        "-std=c++14",
        "-O1",
        "-shared",
        "-fPIC",
        *(f"-D{name}={value}" for name, value in defines.items()),
    ]
    subprocess.run([*command, str(source), "-o", str(path)], check=True, timeout=120)
    return path


@pytest.fixture
def folder(tmp_path: Path, library: Path) -> Path:
    """A valid design folder, bitstreams/<design>."""
    path = tmp_path / "small"
    path.mkdir()
    design, network = small_design(), small_network()
    shutil.copyfile(library, path / manifest.BIT)
    (path / manifest.HWH).write_text(hwh.render("pynq-z2", design), encoding="utf-8")
    image_words(design).astype("<u4").tofile(path / manifest.IMAGE)
    (path / manifest.GOLDEN).write_bytes(golden_file.dump(network))
    (path / manifest.TESTSET).write_bytes(make_test_set(network))
    (path / manifest.PROVENANCE).write_text(json.dumps(PROVENANCE))
    write_manifest(path)
    return path
