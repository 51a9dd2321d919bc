# SPDX-License-Identifier: Apache-2.0
"""`ese4ml rebuild` replaces native code from elsewhere; `build` works without a record; `pack` runs no code."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from ese_host.bundle import manifest
from ese_host.bundle.folder import Folder
from ese_host.cli.main import main
from ese_host.files.hashing import digest
from support.program_folder import program_folder
from support.programs import bidirectional


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A design folder whose design.bit makes the file `it-ran` as soon as it is loaded."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = program_folder(tmp_path / "design", bidirectional(np.random.default_rng(1)))
    (tmp_path / "mark.c").write_text(
        "#include <stdio.h>\n__attribute__((constructor)) static void mark(void) "
        f'{{ fclose(fopen("{tmp_path / "it-ran"}", "w")); }}\n'
    )
    command = ["gcc", "-shared", "-fPIC", str(tmp_path / "mark.c"), "-o", str(folder / manifest.BIT)]
    subprocess.run(command, check=True, timeout=60)
    opened = Folder.open(folder).manifest
    opened.files[manifest.BIT] = digest(folder / manifest.BIT)
    manifest.write(folder, opened)
    return folder


def test_a_rebuilt_folder_runs_without_trust_and_without_its_old_code(foreign: Path, tmp_path: Path) -> None:
    assert call("run", foreign).exit_code == 2
    before = Folder.open(foreign).manifest
    built = call("rebuild", foreign)
    assert built.exit_code == 0 and "emulated bitstream" in built.output, built.output
    after = Folder.open(foreign)
    after.check()
    assert after.manifest.files[manifest.BIT] != before.files[manifest.BIT] and "g++" in after.manifest.tools
    assert {**after.manifest.files, manifest.BIT: ""} == {**before.files, manifest.BIT: ""}
    result = call("check", foreign, "--report", tmp_path / "report")
    assert result.exit_code == 0 and "bit-exact" in result.output, result.output
    assert not (tmp_path / "it-ran").exists()


def test_packing_runs_nothing_and_packs_every_image(foreign: Path, tmp_path: Path) -> None:
    result = call("pack", foreign, "--out", tmp_path / "packed")
    assert result.exit_code == 0, result.output
    assert not (tmp_path / "it-ran").exists()
    for name in ("image.bin", "image-1.bin"):
        assert (tmp_path / "packed" / name).read_bytes()[:4] == b"ESEH"
    assert call("run", tmp_path / "packed").exit_code == 2  # packing makes no foreign code one's own


def test_without_a_record_a_build_succeeds_and_says_what_will_be_needed(
    foreign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    built = call("rebuild", foreign)
    assert built.exit_code == 0 and "will need --trust" in built.output
    refused = call("run", foreign)
    assert refused.exit_code == 2 and "--trust" in refused.output
    assert call("run", foreign, "--trust").exit_code == 0


def test_a_real_bitstream_is_not_compiled_again(foreign: Path) -> None:
    (foreign / manifest.BIT).write_bytes(b"\x00\x09bitstream")
    opened = Folder.open(foreign).manifest
    opened.files[manifest.BIT] = digest(foreign / manifest.BIT)
    object.__setattr__(opened, "kind", "bitstream")
    manifest.write(foreign, opened)
    refused = call("rebuild", foreign)
    assert refused.exit_code == 2 and "configures an FPGA" in refused.output
