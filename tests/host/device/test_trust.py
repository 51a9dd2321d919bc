# SPDX-License-Identifier: Apache-2.0
"""Code of a design folder runs only if this user built or trusts it, and it is the code that was hashed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from small_design import DRIVERS, codes, expected, write_manifest

from ese_host.boards import load_board
from ese_host.bundle import manifest
from ese_host.check.checker import check
from ese_host.cli.main import main
from ese_host.device import trust
from ese_host.device.emulated.board import EmulatedBoard
from ese_host.errors import UntrustedError
from ese_host.files.hashing import Contents, digest
from ese_host.runtime.accelerator import Accelerator

MARKED = '#include <cstdio>\nnamespace {{ struct M {{ M() {{ std::fclose(std::fopen("{}", "w")); }} }} m; }}\n'


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for the record of builds."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def mark(folder: Path, state: Path) -> Path:
    """A file that the folder's design.bit makes as soon as it is loaded."""
    path = folder.parent / "it-ran"
    (folder.parent / "mark.cpp").write_text(MARKED.format(path))
    command = ["g++", "-shared", "-fPIC", str(folder.parent / "mark.cpp"), "-o", str(folder / manifest.BIT)]
    subprocess.run(command, check=True, timeout=120)
    write_manifest(folder)
    (trust.record_folder() / digest(folder / manifest.BIT)).unlink()  # type: ignore[operator]
    return path


@pytest.mark.parametrize("driver", DRIVERS)
def test_foreign_code_is_refused_before_it_runs(folder: Path, mark: Path, driver: Any) -> None:
    for use in (lambda: Accelerator(folder, driver=driver), lambda: check(folder, driver=driver)):
        with pytest.raises(UntrustedError, match=r"design\.bit: is native code with SHA-256 .* rebuild`.*--trust"):
            use()
    for command in ("info", "run", "check"):
        result = CliRunner().invoke(main, [command, str(folder)])
        assert result.exit_code == (0 if command == "info" else 2), result.output
        assert "--trust" in result.output
    with pytest.raises(UntrustedError):
        EmulatedBoard(load_board("pynq-z2")).configure(Contents.of(folder / manifest.BIT))
    assert not mark.exists()
    result = CliRunner().invoke(main, ["run", str(folder), "--trust"])
    assert result.exit_code == 3, result.output  # this library is no engine
    assert mark.exists()


@pytest.mark.parametrize("driver", DRIVERS)
def test_trust_loads_a_foreign_engine(folder: Path, state: Path, driver: Any) -> None:
    inputs = codes(3, 2)
    with pytest.raises(UntrustedError):
        Accelerator(folder, driver=driver)
    with Accelerator(folder, driver=driver, trust=True) as engine:
        assert (engine.run(inputs).outputs == expected(inputs, engine.shape.frac)).all()
        engine.configure()
    assert check(folder, driver=driver, trust=True)["bit_exact"]
    assert trust.record(digest(folder / manifest.BIT), folder)
    Accelerator(folder, driver=driver).close()


@pytest.mark.parametrize("driver", DRIVERS)
def test_what_was_hashed_is_loaded_at_every_configuration(folder: Path, driver: Any) -> None:
    inputs = codes(2, 2)
    with Accelerator(folder, driver=driver) as engine:
        for name in (manifest.BIT, manifest.HWH, manifest.IMAGE):
            (folder / name).write_bytes(b"something else")
        engine.configure()
        assert (engine.run(inputs).outputs == expected(inputs, engine.shape.frac)).all()


def test_a_record_that_another_user_wrote_counts_for_nothing(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert trust.record("0" * 64, state)
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    assert not trust.recorded("0" * 64)


@pytest.mark.parametrize("name", ["folder", "link"])
def test_only_a_plain_file_is_a_record(state: Path, name: str) -> None:
    assert trust.record("0" * 64, state)
    entry = state / "ese4ml" / "builds" / ("1" * 64)
    entry.mkdir() if name == "folder" else entry.symlink_to("0" * 64)
    assert trust.recorded("0" * 64) and not trust.recorded("1" * 64)


def test_a_relative_home_holds_no_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a foreign folder could bring its own record, for those who run its design from inside it."""
    record = tmp_path / ".local" / "state" / "ese4ml" / "builds" / ("0" * 64)
    record.parent.mkdir(parents=True)
    record.touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    for home in (".", ""):
        monkeypatch.setenv("HOME", home)
        assert not trust.recorded("0" * 64)


def test_a_folder_with_a_name_in_no_encoding_is_recorded(state: Path) -> None:
    assert trust.record("0" * 64, Path(os.fsdecode(b"design\xff")))


@pytest.mark.parametrize("home", ["missing", "a file"])
def test_without_a_place_for_the_record_nothing_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    (tmp_path / "file").touch()
    if home == "a file":
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    else:
        monkeypatch.setenv("XDG_STATE_HOME", "relative")
        monkeypatch.setattr(Path, "home", classmethod(_no_home))
        assert trust.record_folder() is None
    assert not trust.record("0" * 64, tmp_path) and not trust.recorded("0" * 64)


def _no_home(_: type[Path]) -> Path:
    raise RuntimeError("Could not determine home directory.")
