# SPDX-License-Identifier: Apache-2.0
"""The command line: commands of the package, commands of extras, errors in one line, exit codes."""

from __future__ import annotations

import json
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from calls import call
from small_design import INPUTS, codes, write_manifest

from ese_host import runtime
from ese_host.bundle import manifest, testset
from ese_host.cli import main
from ese_host.cli.output import printable
from ese_host.runtime import Accelerator


def test_info(folder: Path) -> None:
    done = call("info", str(folder), "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout) == json.loads((folder / manifest.NAME).read_text())
    assert "every SHA-256 as in the manifest" in call("info", str(folder)).stdout


def test_info_tells_the_warnings_of_the_conversion(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    value = json.loads((copy / manifest.NAME).read_text())
    (copy / manifest.NAME).write_text(json.dumps({**value, "warnings": ["layer 'x' may saturate"]}))
    assert "warning of the conversion: layer 'x' may saturate" in call("info", str(copy)).stdout


def test_run(folder: Path) -> None:
    done = call("run", str(folder), "--driver", "adapter", "--json")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert found["steps"] == 240 and len(found["classes"]) == 40
    lines = call("run", str(folder), "--driver", "adapter", "--all").stdout.split()
    assert lines == [str(item) for item in found["classes"]]
    assert call("run", str(folder), "--all", "--input", str(folder / "testset.npz")).stdout.split() == lines


def test_run_prints_a_summary(folder: Path) -> None:
    line = ("run", str(folder), "--driver", "adapter")
    found = json.loads(call(*line, "--json").stdout)
    first, counts, *accuracy = call(*line).stdout.splitlines()
    assert first == f"40 sequences, 240 steps; {found['cycles'] / 240:,.1f} cycles per step"
    numbers = sorted((name, found["classes"].count(name)) for name in {*found["classes"]})
    assert counts == ", ".join(f"class {name}: {count}" for name, count in numbers)
    labels = np.load(folder / "testset.npz")["labels"]
    right = sum(one == other for one, other in zip(found["classes"], labels, strict=True))
    assert accuracy == [f"accuracy: {100 * right / 40:.2f}% ({right} of 40)"]


def test_check(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    done = call("check", str(folder), "--driver", "adapter", "--report", str(out), "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout) == json.loads((out / "report.json").read_text())
    assert (out / "report.html").is_file()
    assert "bit-exact: 2,160 values equal the golden model's" in call("check", str(folder), "--report", str(out)).stdout


def test_the_timeout_is_the_users(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds: list[float | None] = []
    begin = Accelerator.__init__

    def recorded(self: Accelerator, *args: Any, timeout: float | None, **options: Any) -> None:
        seconds.append(timeout)
        begin(self, *args, timeout=timeout, **options)

    monkeypatch.setattr(Accelerator, "__init__", recorded)
    assert call("run", str(folder), "--timeout", "7").exit_code == 0
    assert call("check", str(folder), "--timeout", "0.5", "--report", str(tmp_path)).exit_code == 0
    assert call("run", str(folder)).exit_code == 0
    assert seconds == [7.0, 0.5, None]
    for bad in ("0", "-1", "nan", "1e9"):
        done = call("run", str(folder), "--timeout", bad)
        assert done.exit_code == 2 and "timeout" in done.stderr, done.stderr


def test_a_mismatch_is_exit_code_1(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ese_host.check.compare.scaled", lambda codes, *_: codes)
    done = call("check", str(folder), "--report", str(tmp_path))
    assert done.exit_code == 1
    assert "NOT bit-exact" in done.stdout


HOSTILE = "\x1b[2J\x1b]0;owned\x07\r\u202e\x9b31m\x7f"
ESCAPED = r"\u001b[2J\u001b]0;owned\u0007\u000d\u202e\u009b31m\u007f"


def test_no_file_sends_commands_to_the_terminal(folder: Path, tmp_path: Path) -> None:
    """Names in a check's provenance, a key that a refusal names, and an archive's members."""
    report = str(tmp_path / "report")
    (folder / manifest.PROVENANCE).write_text(json.dumps({"accuracy": {HOSTILE: 0.5}}))
    write_manifest(folder)
    printed = call("check", str(folder), "--report", report)
    assert printed.exit_code == 0 and f"accuracy, {ESCAPED}: 50.00%" in printed.stdout
    as_json = call("check", str(folder), "--report", report, "--json")
    assert json.loads(as_json.stdout)["accuracy"][HOSTILE] == 0.5
    (folder / manifest.PROVENANCE).write_text(json.dumps({"accuracy": {HOSTILE: "x"}}))
    write_manifest(folder)
    refused = call("check", str(folder), "--report", report)
    assert refused.exit_code == 2 and refused.stderr.count("\n") == 1
    for text in (printed.stdout, as_json.stdout, refused.stderr):
        assert text.replace("\n", "").isprintable()


def test_control_characters_are_escaped_and_others_kept() -> None:
    assert printable(f"{HOSTILE} é\tµs\n") == f"{ESCAPED} é\tµs\n"


@pytest.mark.parametrize("command", ["info", "run", "check"])
def test_a_damaged_folder_is_one_line_and_exit_code_2(folder: Path, tmp_path: Path, command: str) -> None:
    (folder / manifest.IMAGE).write_bytes(b"\0" * 64)
    out = tmp_path / "report"
    done = call(command, str(folder), *(("--report", str(out)) if command == "check" else ()))
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"error: {folder / manifest.IMAGE}: SHA-256 is ")
    assert not out.exists()


def test_no_folder(tmp_path: Path) -> None:
    done = call("check", str(tmp_path / "none"))
    assert done.exit_code == 2 and "manifest.json: cannot be read (No such file or directory)" in done.stderr


def test_what_is_unexpected_keeps_its_traceback(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ese_host.bundle.folder.Folder.check", lambda _: 1 // 0)
    assert isinstance(call("info", str(folder)).exception, ZeroDivisionError)


def test_version() -> None:
    assert call("--version").stdout == f"ese4ml, version {metadata.version('ese4ml')}\n"


class Point:
    """An entry point whose module cannot be imported, or whose command fails so."""

    name = "train"
    module = "ese_models.cli.commands"

    def __init__(self, missing: str, late: bool) -> None:
        self.missing, self.late = missing, late

    def fail(self) -> None:
        raise ModuleNotFoundError(f"No module named {self.missing!r}", name=self.missing)

    def load(self) -> click.Command:
        if not self.late:
            self.fail()
        return click.Command("train", callback=self.fail)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(("missing", "extra"), [("tensorflow", "train"), ("hls4ml.model", "hls"), ("qkeras", "train")])
def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, missing: str, extra: str, late: bool) -> None:
    monkeypatch.setattr(main, "_points", lambda: [Point(missing, late)])
    done = call("train", *([] if late else ["--epochs", "3"]))
    assert done.exit_code == 2
    assert done.stderr == f"error: ese4ml train needs the '{extra}' extra: pip install 'ese4ml[{extra}]'\n"
    assert "train" in call("--help").stdout


def test_a_missing_module_of_nobodys_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "_points", lambda: [Point("nonsense", True)])
    assert isinstance(call("train").exception, ModuleNotFoundError)


def test_no_such_command() -> None:
    done = call("fly")
    assert done.exit_code == 2 and "No such command 'fly'" in done.stderr


def test_run_prints_the_same_classes_in_parts(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long input is run a part at a time, so that memory holds its classes but not all of its frames' results."""
    np.savez(tmp_path / "long.npz", inputs=codes(23, 6), steps=np.arange(23) % 6 + 1)
    line = ("run", str(folder), "--input", str(tmp_path / "long.npz"), "--driver", "adapter", "--json")
    whole = json.loads(call(*line).stdout)
    sizes: list[int] = []
    run_all = runtime.run_program

    def counted(engine: Any, inputs: Any, lengths: Any) -> Any:
        sizes.append(len(next(iter(inputs.values()))))
        return run_all(engine, inputs, lengths)

    monkeypatch.setattr(runtime, "run_program", counted)
    monkeypatch.setattr(testset, "AT_ONCE", 4 * 6 * INPUTS)
    parts = json.loads(call(*line).stdout)
    assert sizes == [4, 4, 4, 4, 4, 3]
    assert all(parts[name] == whole[name] for name in ("classes", "steps"))
