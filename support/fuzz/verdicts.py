# SPDX-License-Identifier: Apache-2.0
"""Runs one case of a damaged folder or a failing board in this process, and judges how it ended."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import stat
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from click.testing import CliRunner

from ese_host.bundle import TESTSET, testset
from ese_host.cli.main import main
from ese_host.device.emulated import Faults
from ese_host.errors import EseError, ExitCode
from ese_host.ir.program import run
from ese_host.runtime import Accelerator, run_program
from support.fuzz.cases import Case
from support.fuzz.mutators import DEVICES, FILES, LAYOUT, PLAIN, PROGRAM, SOUND, choose, contents_of, damage_layout

REFUSED = {ExitCode.REFUSED, ExitCode.FAILED, ExitCode.NOT_WRITABLE}
GOOD = ("refused", "exact")
TIED = "-tied"
"""End of the names of mutators after which a check may find that values differ."""
TIMEOUT = 0.3
"""Seconds that a packet may take on a board with faults."""
NOT_YET_MENDED: dict[str, str] = {
    "device-packet-(words|moved) differs: ": "the inputs of a RUN packet have no checksum",
}
"""{what "<mutator> <outcome>: <detail>" matches from its beginning: the kind of fault}. Cases that match are found but
do not fail the tests. This is the only such list: remove a line once its kind is mended."""


@dataclass(frozen=True)
class Verdict:
    """How a case ended.

    Attributes:
        outcome: "refused", "exact", or what is wrong: "differs", "not sound", "traceback", "not JSON",
            "message", "crash", "hang", "slow", "memory" or "mutator".
        detail: the refusal's or the error's text, and where it was raised.
    """

    outcome: str
    detail: str = ""

    @property
    def good(self) -> bool:
        """Whether the case ended as every case must."""
        return self.outcome in GOOD


def unexpected(verdicts: dict[Case, Verdict]) -> list[str]:
    """One line for each case that ended neither refused nor exact, and is of no kind in `NOT_YET_MENDED`."""
    return [
        f"{case}: {verdict.outcome}: {verdict.detail}; run it: {case.command}"
        for case, verdict in verdicts.items()
        if not verdict.good
        and not any(re.match(kind, f"{case.mutator} {verdict.outcome}: {verdict.detail}") for kind in NOT_YET_MENDED)
    ]


def judge(case: Case, seeds: Path) -> Verdict:
    """Run a case with the sound folders in `seeds`, and judge it."""
    if case.mutator in DEVICES:
        return _device(case, seeds)
    with tempfile.TemporaryDirectory(prefix="ese-fuzz-") as name:
        folder = Path(name) / "design"
        if not _apart(lambda: materialize(case, seeds, folder)):
            return Verdict("mutator", "the mutator itself failed")
        verdict = _folder(case, folder, Path(name))
        for path in folder.iterdir():  # so that the folder can be removed
            if not path.is_symlink():
                path.chmod(stat.S_IRWXU)
        return verdict


def _apart(work: Callable[[], None]) -> bool:
    """Do something in a forked process, so that its memory is not this one's; returns whether it succeeded."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:  # noqa: BLE001 - the process must end here, whatever happened
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


def materialize(case: Case, seeds: Path, folder: Path) -> None:
    """Make the damaged folder of a case. Files that are as they were are links to those of the sound folder.

    Args:
        case: the case.
        seeds: folder of the sound folders.
        folder: the folder to make.
    """
    rng = case.rng
    mutate, starts = FILES.get(case.mutator, (None, (PLAIN, PROGRAM)))
    sound = seeds / choose(rng, *starts)
    before = contents_of(sound)
    after = dict(before)
    if mutate is not None:
        mutate(rng, after)
    folder.mkdir()
    for name, content in after.items():
        if content == before.get(name):
            os.link(sound / name, folder / name)
        else:
            (folder / name).write_bytes(content)
    if case.mutator == LAYOUT:
        damage_layout(rng, folder)


def _folder(case: Case, folder: Path, room: Path) -> Verdict:
    """`info`, `check` and, for some cases, `pack`: each is refused, or all of it is right."""
    has_pynq = importlib.util.find_spec("pynq") is not None
    driver = "pynq" if case.mutator.startswith("hwh") and has_pynq and case.seed % 4 else "adapter"
    commands = [
        ["info", str(folder)],
        ["check", str(folder), "--driver", driver, "--report", str(room / "report"), "--json"],
    ]
    if case.seed % 3 == 0:
        commands += [["pack", str(folder), "--out", str(room / "packed")]]
    verdict = Verdict("exact")
    for command in commands:
        found = _command(command)
        if found.outcome == "differs" and case.mutator.endswith(TIED):
            found = Verdict("refused", f"the check says so: {found.detail}")
        if not found.good:
            return Verdict(found.outcome, f"{command[0]}: {found.detail}")
        if found.outcome != "exact" and verdict.outcome == "exact":
            verdict = found
    if case.mutator == SOUND and verdict.outcome != "exact":
        return Verdict("not sound", verdict.detail)
    return verdict


def _command(arguments: list[str]) -> Verdict:
    """Run a command in this process and judge its exit code and what it prints."""
    result = CliRunner().invoke(main, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return Verdict("traceback", where(result.exception))
    text = result.output
    if result.exit_code in REFUSED:
        lines = [line for line in text.splitlines() if line.startswith("error: ")]
        plain = len(lines) == 1 and lines[0].isprintable()
        return Verdict("refused" if plain else "message", lines[0] if lines else text[-300:])
    if result.exit_code == ExitCode.DIFFERS:
        return Verdict("differs", text[-300:])
    if result.exit_code != ExitCode.DONE:
        return Verdict("message", f"exit code {result.exit_code}: {text[-300:]}")
    if arguments[0] == "check":
        start = text.find("{")
        try:
            report = json.loads(text[start : text.rfind("}") + 1], parse_constant=_no_json)
        except ValueError as error:
            return Verdict("not JSON", str(error))
        if not report["bit_exact"]:
            return Verdict("differs", "exit code 0")
    return Verdict("exact")


def _no_json(text: str) -> NoReturn:
    raise ValueError(f"report.json holds {text}")


def where(error: BaseException) -> str:
    """An error's class and text, and the innermost places in this project that it went through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/ese_" in frame.filename]
    places = [f"{frame.filename.partition('/ese_')[2]}:{frame.lineno} {frame.name}" for frame in ours[-2:]]
    return f"{type(error).__name__} at {' < '.join(reversed(places))}: {str(error)[:200]}"


def _device(case: Case, seeds: Path) -> Verdict:
    """Open a board with faults and run twice: each time it is refused, or every value is right."""
    rng = case.rng
    faults = Faults()
    DEVICES[case.mutator](rng, faults)
    folder = seeds / choose(rng, PLAIN, PROGRAM)
    outcome = Verdict("exact")
    try:
        with Accelerator(folder, driver="adapter", faults=faults, timeout=TIMEOUT) as engine:
            tests = testset.read(folder / TESTSET, engine.program)
            part = tests.part(0, 3)
            golden = run(engine.program, *part)
            for _ in range(3):
                try:
                    found = run_program(engine, *part)
                except EseError as error:
                    outcome = Verdict("refused", str(error))
                    continue
                for name, value in golden.tensors.items():
                    if not np.array_equal(found.run.tensors[name].codes, value.codes):
                        return Verdict("differs", f"the values of {name}")
    except EseError as error:
        return Verdict("refused", str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the verdict
        return Verdict("traceback", where(error))
    return outcome
