# SPDX-License-Identifier: Apache-2.0
"""hls4ml's own tests with backend='ESE' in place of 'Vitis': hls4ml-tests.md and hls4ml-tests.json.

    python -m benchmarks.upstream.own_tests HLS4ML

HLS4ML is a checkout or an unpacked source distribution of hls4ml in the installed version. Its test files are copied
into a temporary folder and run there, in one process, with the plugin `pytest_plugin`. A test that fails runs again
with the backend that it was written for. Results are added to a file in build/ one by one, so that `--keep` can
continue an interrupted run. With the Python of `make test-keras2`, which has Keras 2, the page is
docs/results/hls4ml-tests-keras2.md.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from benchmarks.page import filled, write
from benchmarks.upstream.causes import cause_of
from benchmarks.upstream.scope import ENGINE_FILES, HOST_FILES, IN_SCOPE, OUT_OF_SCOPE

ROOT = Path(__file__).resolve().parents[2]
KERAS2 = version("keras").startswith("2.")
NAME = "hls4ml-tests-keras2" if KERAS2 else "hls4ml-tests"
PLUGIN = "benchmarks.upstream.pytest_plugin"
RESULTS = ROOT / "build" / NAME
RECORDS = RESULTS / "records.jsonl"
PACKAGES = ("hls4ml", "keras", "qkeras-v3", "qkeras", "tensorflow", "tensorflow-cpu", "numpy", "pytest")
OUTCOMES = ("passed", "refused", "failed", "not applicable", "not run")


@dataclass(frozen=True)
class TestOutcome:
    """Outcome of one test.

    Attributes:
        file: name of the test file.
        function: name of the test function.
        id: the test's pytest id.
        outcome: one of OUTCOMES.
        message: first line of the error or reason.
        seconds: time of the test.
        vitis: outcome and message with the backend that ESE replaces, if the test failed and was run again.
    """

    file: str
    function: str
    id: str
    outcome: str
    message: str
    seconds: float
    vitis: str = ""


@dataclass(frozen=True)
class OutcomeRow:
    """Tests of one function that ended alike, as a row of the page.

    Attributes:
        file: name of the test file.
        function: name of the test function.
        outcome: one of OUTCOMES.
        count: number of the tests.
        parameters: parameters that all of them share.
        why: message or cause.
    """

    file: str
    function: str
    outcome: str
    count: int
    parameters: str
    why: str


def tests_of(source: Path) -> Path:
    """The folder of tests in hls4ml's source.

    Raises:
        click.ClickException: if there is no such folder, if the source is of another version, or if a test file is in
            neither IN_SCOPE nor OUT_OF_SCOPE.
    """
    folder = source / "test" / "pytest"
    if not folder.is_dir():
        raise click.ClickException(f"{source} has no test/pytest; give a checkout of hls4ml {version('hls4ml')}")
    differs = difference(source)
    if differs:
        wanted = version("hls4ml")
        raise click.ClickException(
            f"{differs} of {source} differs from the installed hls4ml {wanted}: check out v{wanted}"
        )
    unknown = {path.name for path in folder.glob("test_*.py")} - set(IN_SCOPE) - set(OUT_OF_SCOPE)
    if unknown:
        raise click.ClickException(
            f"{min(unknown)} is new: put it into IN_SCOPE or OUT_OF_SCOPE of benchmarks/upstream/scope.py"
        )
    return folder


def difference(source: Path) -> str:
    """The first module of the source tree that the installed package lacks or that differs; empty if there is none."""
    installed = find_spec("hls4ml")
    assert installed is not None and installed.origin is not None
    package = Path(installed.origin).parent
    for path in sorted((source / "hls4ml").rglob("*.py")):
        other = package / path.relative_to(source / "hls4ml")
        if path.name != "_version.py" and (not other.exists() or other.read_bytes() != path.read_bytes()):
            return path.relative_to(source).as_posix()
    return ""


def run(tests: Path, backend: str, names: list[str], options: list[str], timeout: int) -> None:
    """Run test files in a temporary folder, in one process. Each result is added to RECORDS when the test ends.

    Args:
        tests: folder of the test files.
        backend: backend to use; empty for the tests' own.
        names: names of the test files.
        options: further options of pytest.
        timeout: seconds for each test.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "test" / "pytest"
        folder.mkdir(parents=True)
        for name in (*names, "conftest.py", "synthesis_helpers.py"):
            shutil.copy(tests / name, folder)
        command = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", ".", "-p", PLUGIN]
        command += ["-p", "no:cacheprovider", "-q", "--tb=no", "-W", "ignore", "--continue-on-collection-errors"]
        command += [f"--timeout={timeout}", f"--own-record={RECORDS}", f"--own-backend={backend}", *options, *names]
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        with (RESULTS / f"{backend or 'stock'}.log").open("a", encoding="utf-8") as out:
            subprocess.run(
                command, cwd=folder, env={**os.environ, "PYTHONPATH": path}, stdout=out, stderr=out, check=False
            )


def records(backend: str) -> dict[str, dict[str, Any]]:
    """The last record of each test with a backend, by the test's id."""
    if not RECORDS.exists():
        return {}
    entries = [json.loads(line) for line in RECORDS.read_text(encoding="utf-8").splitlines()]
    return {entry["id"]: entry for entry in entries if entry["backend"] == backend}


def listed(name: str, ids: list[str]) -> str:
    """Write ids to a file in RESULTS, and return its path."""
    path = RESULTS / name
    path.write_text("\n".join(ids), encoding="utf-8")
    return str(path)


def results() -> list[TestOutcome]:
    """All results with ESE; a failed test has also its outcome with the backend that ESE replaces."""
    stock = records("")
    outcomes = []
    for entry in records("ESE").values():
        control = stock.get(entry["id"], {})
        vitis = f"{control['outcome']} {control['message']}".strip() if control else ""
        kept = {key: value for key, value in entry.items() if key != "backend"}
        outcomes.append(TestOutcome(**kept, vitis=vitis))
    return sorted(outcomes, key=lambda result: (result.file, result.id))


def rows_of(results: list[TestOutcome]) -> list[OutcomeRow]:
    """Results grouped by function, outcome and reason."""
    groups: dict[tuple[str, str, str, str], list[TestOutcome]] = {}
    for result in results:
        outcome, why = judged(result)
        groups.setdefault((result.file, result.function, outcome, why), []).append(result)
    order = sorted(groups, key=lambda key: (key[0], key[1], OUTCOMES.index(key[2])))
    functions = Counter((key[0], key[1]) for key in groups)
    rows = []
    for key in order:
        file, function, outcome, why = key
        values = common(groups[key]) if functions[file, function] > 1 else ""
        rows.append(OutcomeRow(file, function, outcome, len(groups[key]), values, why))
    return rows


def judged(result: TestOutcome) -> tuple[str, str]:
    """Outcome and reason for the page. A test that fails with the replaced backend as well is not applicable."""
    if result.outcome == "failed" and result.vitis.startswith("failed"):
        reason = _plain(result.vitis.removeprefix("failed "))
        return "not applicable", f"fails with the backend replaced too: {reason}"
    message = _plain(result.message)
    if result.outcome == "refused":
        message = message.split(";")[0]
    return result.outcome, cause_of(result.file, result.function, message) or message


def _plain(message: str) -> str:
    """A message without the numbers that Keras appends to names and without the value of a reuse factor."""
    return re.sub(r"(ReuseFactor'\] is )\d+", r"\1N", re.sub(r"_\d+(?=['\s])", "", message))


def common(results: list[TestOutcome]) -> str:
    """The parameters that all tests of a group have, except the backend."""
    sets = [re.sub(r".*\[|\]$", "", result.id).split("-") for result in results]
    same = [word for word in sets[0] if all(word in words for words in sets[1:]) and word not in ("Vitis", "Vivado")]
    return ", ".join(same)


def versions() -> dict[str, str]:
    """Versions of the installed packages among PACKAGES."""
    installed = {}
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            installed[name] = version(name)
    return installed


def page(results: list[TestOutcome]) -> str:
    """The text of the page."""
    engine = [result for result in results if result.file in ENGINE_FILES]
    counts = {"all": results, "without those of the layers that only the host computes": engine}
    return filled(
        Path(__file__).with_name("own_tests.md.jinja"),
        rows=[{**asdict(row), "why": row.why.replace("|", "\\|")} for row in rows_of(results)],
        outcomes=OUTCOMES,
        totals={files: Counter(judged(result)[0] for result in part) for files, part in counts.items()},
        host_files=HOST_FILES,
        elsewhere=OUT_OF_SCOPE,
        versions=versions(),
        keras2=KERAS2,
        name=NAME,
        python=platform.python_version(),
        date=time.strftime("%Y-%m-%d"),
    )


@click.command()
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--only", multiple=True, type=click.Choice(IN_SCOPE), help="Run only this file; repeatable.")
@click.option("--keep", is_flag=True, help="Run only what has no result in build/ yet.")
@click.option(
    "--sample", default=0, show_default=True, help="Most tests of each function, chosen at random; 0 for all."
)
@click.option("--page-only", is_flag=True, help="Run nothing; write the page from the results in build/.")
@click.option("--timeout", default=180, show_default=True, help="Seconds for each test.")
def main(source: Path, only: tuple[str, ...], keep: bool, sample: int, page_only: bool, timeout: int) -> None:
    """Run the tests of hls4ml's SOURCE and write the page and its JSON."""
    tests = tests_of(source)
    RESULTS.mkdir(parents=True, exist_ok=True)
    if not keep and not only and not page_only:
        RECORDS.unlink(missing_ok=True)
    if not page_only:
        names = list(only or IN_SCOPE)
        done = [name for name, entry in records("ESE").items() if keep and entry["outcome"] != "not run"]
        run(tests, "ESE", names, [f"--own-done={listed('done', done)}", f"--own-sample={sample}"], timeout)
        failed = [name for name, entry in records("ESE").items() if entry["outcome"] == "failed"]
        failed = [name for name in failed if not keep or name not in records("")]
        if failed:
            files = sorted({name.split("::")[0] for name in failed})
            run(tests, "", files, [f"--own-only={listed('only', failed)}"], timeout)
    outcomes = results()
    if not outcomes:
        raise click.ClickException(f"no test has a result; see the logs in {RESULTS}")
    out = ROOT / "docs" / "results" / f"{NAME}.md"
    write(out, page(outcomes))
    lines = ",\n".join(json.dumps(asdict(result)) for result in outcomes)
    out.with_suffix(".json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    click.echo(f"{dict(Counter(judged(result)[0] for result in outcomes))}; {out}")


if __name__ == "__main__":
    main()
