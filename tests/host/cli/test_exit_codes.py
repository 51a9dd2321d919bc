# SPDX-License-Identifier: Apache-2.0
"""The exit codes of the command line: one for each way that a command can end, and a sentence on standard error."""

from __future__ import annotations

import errno
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import click
import pytest
from calls import call
from small_design import DRIVERS

from ese_host import errors
from ese_host.check import report
from ese_host.device.emulated import Faults
from ese_host.device.emulated.faults import PacketFault
from ese_host.errors import DeviceError, ExitCode

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "commands.md"
CHECK = "ese_host.bundle.folder.Folder.check"


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let `ese4ml info` meet an error."""

    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(CHECK, fail)


def test_the_page_and_the_help_list_them() -> None:
    rows = "\n".join(f"| {code.value} | {code.meaning} |" for code in ExitCode)
    assert f"| code | meaning |\n|---|---|\n{rows}\n\n" in PAGE.read_text()
    lines = [line.split(maxsplit=1) for line in call("--help").stdout.partition("Exit codes:\n")[2].splitlines()]
    assert lines == [[str(code.value), code.meaning] for code in ExitCode]


@pytest.mark.parametrize("code", [code for code in ExitCode if code is not ExitCode.INTERRUPTED])
def test_a_command_ends_with_each_of_them(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: ExitCode
) -> None:
    if code is ExitCode.FAILED:
        monkeypatch.setattr(Faults, "next_packet", lambda _: PacketFault(swallow=True))
    sizes = ("--inputs", "153", "--units", "1024", "--pes", "64")
    lines = {
        ExitCode.DONE: ("check", str(folder), "--driver", "adapter", "--report", str(tmp_path / "report")),
        ExitCode.DIFFERS: ("estimate", "lstm", *sizes, "--density", "0.5", "--weight-code", "int8"),
        ExitCode.REFUSED: ("check", str(tmp_path / "none")),
        ExitCode.FAILED: ("run", str(folder), "--driver", "adapter", "--timeout", "0.1"),
        ExitCode.NOT_WRITABLE: ("check", str(folder), "--driver", "adapter", "--report", "/proc/none"),
    }
    assert call(*lines[code]).exit_code == code


def test_a_command_that_is_interrupted_ends_with_130() -> None:
    """In a process of its own, which gets a real signal once its first line says that it runs."""
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from ese_host.cli.main import main; main(prog_name='ese4ml')"
    )
    line = ("estimate", "lstm", "--inputs", "153", "--units", "1024", "--search", "--verbose")
    with subprocess.Popen([sys.executable, "-c", code, *line], stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        assert running.stderr.readline().startswith("[ese_host.cli.verbosity] ese4ml ")
        running.send_signal(signal.SIGINT)
        said = running.stderr.read()
    assert (running.returncode, said) == (ExitCode.INTERRUPTED, "interrupted\n")


def test_every_error_of_the_project_has_one() -> None:
    kinds = (kind for kind in errors.EseError.__subclasses__() if kind.__module__ == errors.__name__)
    codes = {kind.__name__: kind.exit_code for kind in kinds}
    assert codes.pop("DeviceError") == ExitCode.FAILED
    assert codes.pop("StorageError") == ExitCode.NOT_WRITABLE
    assert set(codes.values()) == {ExitCode.REFUSED}


@pytest.mark.parametrize(
    ("number", "way_out"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "free some space"),
        (errno.EROFS, "make it writable for this user"),
        (errno.EACCES, "make it writable for this user"),
        (errno.EIO, "make it writable for this user"),
        (errno.ENOENT, "make it writable for this user"),
        (errno.EBUSY, "make it writable for this user"),
        (errno.EPIPE, "make it writable for this user"),
    ],
)
@pytest.mark.parametrize("name", [None, "/media/card/out"])
def test_4_where_nothing_can_be_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: int, way_out: str, name: str | None
) -> None:
    raising(monkeypatch, OSError(number, os.strerror(number), name))
    done = call("info", str(folder))
    assert done.exit_code == 4
    assert done.stderr == (
        f"error: ese4ml info cannot write {name or 'its output'} ({os.strerror(number)}); {way_out}, or choose another "
        "place for the output\n"
    )


@pytest.mark.parametrize("command", [["check", "--driver", "adapter", "--report"], ["pack", "--out"]])
def test_4_where_no_folder_can_be_made(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    name, *options = command
    assert call(name, str(folder), *options, "/proc/none").exit_code == 4
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    done = call(name, str(folder), *options, "out")
    assert done.exit_code == 4
    assert f"ese4ml {name} cannot write" in done.stderr


def test_4_if_the_report_cannot_be_written_after_the_verdict(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    done = call("check", str(folder), "--driver", "adapter", "--report", str(tmp_path / "file" / "report"))
    assert done.exit_code == 4
    assert "bit-exact: " in done.stdout and "error: ese4ml check cannot write " in done.stderr
    assert str(tmp_path / "file") in done.stderr


@pytest.mark.parametrize("earlier", [False, True])
def test_4_if_the_disk_holds_one_file_of_the_report_but_not_the_other(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, earlier: bool, largest_file: Any
) -> None:
    assert call("check", str(folder), "--driver", "adapter", "--report", str(tmp_path / "first")).exit_code == 0
    sizes = {name: (tmp_path / "first" / name).stat().st_size for name in ("report.json", "report.html")}
    assert sizes["report.json"] + 2000 < sizes["report.html"]
    out = tmp_path / ("first" if earlier else "new")
    before = {path.name: path.read_bytes() for path in out.glob("*")}
    write = report.write

    def write_on_a_small_disk(*arguments: Any) -> list[Path]:
        with largest_file(sizes["report.json"] + 1000):
            return write(*arguments)

    monkeypatch.setattr(report, "write", write_on_a_small_disk)
    done = call("check", str(folder), "--driver", "adapter", "--report", str(out))
    assert done.exit_code == 4 and "(File too large); free some space" in done.stderr
    assert {path.name: path.read_bytes() for path in out.glob("*")} == before


def test_4_if_a_file_of_the_report_is_a_folder(folder: Path, tmp_path: Path) -> None:
    for name, other in (("report.json", "report.html"), ("report.html", "report.json")):
        (tmp_path / name / name).mkdir(parents=True)
        done = call("check", str(folder), "--driver", "adapter", "--report", str(tmp_path / name))
        assert done.exit_code == 4 and f"{tmp_path / name / name} (Is a directory)" in done.stderr
        assert not (tmp_path / name / other).exists()


def test_3_if_a_device_fails(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, DeviceError("the board does not answer: switch it on"))
    done = call("info", str(folder))
    assert done.exit_code == 3 and done.stderr == "error: the board does not answer: switch it on\n"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_130_if_interrupted(folder: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    raising(monkeypatch, error)
    done = call("info", str(folder))
    assert done.exit_code == 130 and done.stderr == "interrupted\n"


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("command", ["run", "check"])
def test_130_if_interrupted_while_the_engine_works(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, driver: str
) -> None:
    """Ctrl-C ends a long wait at once, and releases the device."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    sent = itertools.count()
    locks: list[Path] = []

    def interrupted_at_the_first_run(_: Faults) -> PacketFault:
        if next(sent) == 0:
            return PacketFault()
        locks.extend(tmp_path.glob("ese4ml-*.lock"))
        threading.Timer(0.2, signal.pthread_kill, (main, signal.SIGINT)).start()
        return PacketFault(hang=30)

    monkeypatch.setattr(Faults, "next_packet", interrupted_at_the_first_run)
    main = threading.get_ident()
    # Background jobs of a shell ignore SIGINT unless a handler is set.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    begun = time.monotonic()
    try:
        done = call(command, str(folder), "--driver", driver)
    finally:
        signal.signal(signal.SIGINT, before)
    assert done.exit_code == 130 and done.stderr.endswith("interrupted\n") and time.monotonic() - begun < 10
    assert len(locks) == 1 and not list(tmp_path.glob("ese4ml-*.lock"))


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize("missing", ["grpc", "pynq"])
def test_2_if_a_package_for_a_remote_board_is_missing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, command: str, missing: str
) -> None:
    if missing == "pynq":
        pytest.importorskip("grpc")
    monkeypatch.delitem(sys.modules, "ese_host.device.remote", raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    done = call(command, str(folder), "--remote", "192.0.2.1")
    assert done.exit_code == 2
    assert done.stderr == f"error: ese4ml {command} needs the 'board' extra: pip install 'ese4ml[board]'\n"


@pytest.mark.parametrize("driver", DRIVERS)
def test_4_if_the_engine_cannot_be_copied(folder: Path, tmp_path: Path, driver: str, largest_file: Any) -> None:
    with largest_file(1000):
        done = call("check", str(folder), "--driver", driver, "--report", str(tmp_path / "report"))
    assert done.exit_code == 4
    assert "cannot be written (File too large); free some space" in done.stderr
    assert not (tmp_path / "report").exists()


def test_2_if_the_installed_pynq_is_too_old_for_a_remote_board(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pynq")
    monkeypatch.delitem(sys.modules, "ese_host.device.remote", raising=False)
    monkeypatch.setitem(sys.modules, "pynq.pl_server.remote_device", None)
    done = call("run", str(folder), "--remote", "board")
    assert done.exit_code == 2
    assert "--remote needs pynq 4.0 or newer; the installed one has no PYNQ.remote: pip install" in done.stderr
