# SPDX-License-Identifier: Apache-2.0
"""Paths and options are judged before TensorFlow is loaded, which takes seconds."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

COMMAND = """
import sys
from ese_host.cli.main import main
try:
    main(sys.argv[1:], prog_name="ese4ml")
finally:
    print(*({"tensorflow", "keras", "hls4ml"} & {*sys.modules}), end="")
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, which prints what it has loaded of the packages that take seconds."""
    command = [sys.executable, "-c", COMMAND, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file that is no model, an archive that is none either, and a folder."""
    (tmp_path / "text.keras").write_text("no model")
    with zipfile.ZipFile(tmp_path / "archive.keras", "w") as archive:
        archive.writestr("a", "b")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "data").write_text("somebody's")
    return tmp_path


NONE = "none.keras is not there; make it with `ese4ml train` or `ese4ml compress`, or name a .keras file"
TAKE_A_MODEL = ("compress", "dsd", "sensitivity", "emit --out project", "estimate model")


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        *((f"{command} none.keras", 2, NONE) for command in TAKE_A_MODEL),
        *((f"{command} folder", 2, "is a directory") for command in TAKE_A_MODEL),
        *((f"{command} text.keras", 2, "it is no ZIP archive, as .keras files are") for command in TAKE_A_MODEL),
        ("report compression none", 2, "none is not there; name a .keras file or a folder that `ese4ml build` made"),
        ("report compression folder --out a.pdf", 2, "a.pdf ends in '.pdf'; .md or .html is allowed"),
        ("train --out model.h5", 2, "model.h5 ends in '.h5'; .keras is allowed"),
        ("train --out folder", 2, "is a directory"),
        ("train --out /proc/none/model.keras", 4, "ese4ml train cannot write /proc/none/model.keras"),
        ("train --out text.keras/model.keras", 4, "text.keras (Not a directory)"),
        ("compress archive.keras --out model", 2, "model ends in ''; .keras is allowed"),
        ("sensitivity archive.keras --out text.keras", 2, "is a file"),
        ("sensitivity archive.keras --densities 0.1,x", 2, "numbers separated by commas are expected"),
        ("emit archive.keras --out folder", 2, "folder exists and holds no design.json; it is not replaced"),
        ("emit archive.keras --out text.keras/project", 4, "text.keras (Not a directory)"),
        ("emit archive.keras --out project --test none.npz", 2, "'none.npz' does not exist"),
        ("emit archive.keras --out project --calibration none.npz", 2, "'none.npz' does not exist"),
    ],
)
def test_what_is_wrong_is_said_before_tensorflow_is_loaded(folder: Path, line: str, code: int, said: str) -> None:
    before = sorted(folder.iterdir())
    done = run(folder, *line.split())
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert said in done.stderr
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("command", ["emit --out project", pytest.param("report compression", marks=pytest.mark.slow)])
def test_tensorflow_prints_nothing_where_it_is_needed(folder: Path, command: str) -> None:
    """An archive that is no model is judged by Keras; this test shows too that the one above would notice."""
    done = run(folder, *command.split(), "archive.keras")
    assert done.returncode == 2 and "tensorflow" in done.stdout
    assert done.stderr.startswith("error: archive.keras cannot be read as a Keras model: ")
    assert done.stderr.count("\n") == 1
