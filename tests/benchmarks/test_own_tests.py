# SPDX-License-Identifier: Apache-2.0
"""The harness that runs hls4ml's own tests (benchmarks/upstream/own_tests.py), on a small file of tests of our own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.upstream import own_tests as own

TESTS = """
import pytest
from ese_host.errors import UnsupportedError
from hls4ml.backends import get_backend


@pytest.mark.parametrize("backend", ["Vivado", "Vitis", "Quartus"])
def test_takes_the_branch(backend):
    assert backend == "Vitis" and backend in ("Vivado", "Vitis") and backend != "Vivado"
    assert str(backend) == "ESE" and backend.lower() == "ese"
    get_backend(backend).create_initial_config()


@pytest.fixture()
def converted(request):
    io_type, backend = request.param
    get_backend(backend).create_initial_config(io_type=io_type)
    return backend


@pytest.mark.parametrize("converted", [("io_stream", "Vitis"), ("io_stream", "oneAPI")], indirect=True, ids=["a", "b"])
def test_of_a_fixture(converted):
    assert str(converted) == "ESE" and converted == "Vitis"


@pytest.mark.parametrize("backend", ["Vivado", "oneAPI"])
def test_of_vivado(backend):
    assert f"{backend}" == "Vivado"


@pytest.mark.parametrize("backend", ["Quartus"])
def test_of_quartus(backend):
    raise RuntimeError


def test_of_none():
    raise RuntimeError


@pytest.mark.parametrize("backend", ["Vitis"])
def test_converts_for_another(backend):
    pass


@pytest.mark.parametrize("backend", ["Vitis"])
def test_refused(backend):
    raise UnsupportedError("layer 'a' has no place\\nand more")
"""


def records(folder: Path) -> dict[str, tuple[str, str]]:
    (folder / "test_small.py").write_text(TESTS, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "-p", own.PLUGIN, "-p", "no:cacheprovider"]
    command += ["-q", "--own-backend=ESE", "--own-record=out.jsonl", "test_small.py"]
    environment = {**os.environ, "PYTHONPATH": f"{own.ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False, timeout=300)
    found = [json.loads(line) for line in (folder / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    return {entry["id"].split("::")[-1]: (entry["outcome"], entry["message"]) for entry in found}


@pytest.mark.slow
def test_backends_are_replaced_and_outcomes_told_apart(tmp_path: Path) -> None:
    assert records(tmp_path) == {
        "test_takes_the_branch[Vitis]": ("passed", ""),
        "test_of_vivado[Vivado]": ("failed", "AssertionError: assert 'ESE' == 'Vivado'"),
        "test_of_a_fixture[a]": ("passed", ""),
        "test_of_quartus[Quartus]": ("not applicable", "for other backends than Vitis and Vivado"),
        "test_converts_for_another[Vitis]": (
            "not applicable",
            "its conversion does not use its parameter backend",
        ),
        "test_of_none": ("not applicable", "no parameter named backend"),
        "test_refused[Vitis]": ("refused", "layer 'a' has no place"),
    }


def test_a_failure_that_vitis_shares_says_nothing_about_ese() -> None:
    shared = own.TestOutcome("f", "t", "t[Vitis]", "failed", "ValueError: x", 1.0, vitis="failed ImportError: y")
    alone = own.TestOutcome("f", "t", "t[Vitis-a]", "failed", "ValueError: layer 'b_7'", 1.0, vitis="passed")
    reuse = own.TestOutcome("f", "t", "t[Vitis-4]", "refused", "x['ReuseFactor'] is 4; leave it", 1.0)
    assert own.judged(shared) == (
        "not applicable",
        "fails with the backend replaced too: ImportError: y",
    )
    assert own.judged(alone) == ("failed", "ValueError: layer 'b'")
    assert own.judged(reuse) == ("refused", "x['ReuseFactor'] is N")


def test_rows_group_what_ended_alike() -> None:
    results = [
        own.TestOutcome("f", "t", "t[a-io_stream-Vitis]", "passed", "", 1.0),
        own.TestOutcome("f", "t", "t[a-io_parallel-Vitis]", "passed", "", 1.0),
        own.TestOutcome("f", "t", "t[b-io_stream-Vitis]", "refused", "no", 1.0),
    ]
    assert own.rows_of(results) == [
        own.OutcomeRow("f", "t", "passed", 2, "a", ""),
        own.OutcomeRow("f", "t", "refused", 1, "b, io_stream", "no"),
    ]


@pytest.mark.parametrize(
    ("module", "test", "message"),
    [
        ("", "", "{} has no test/pytest; give a checkout of hls4ml {}"),
        ("other", "", "hls4ml/types.py of {0} differs from the installed hls4ml {1}: check out v{1}"),
        (
            None,
            "test_new.py",
            "test_new.py is new: put it into IN_SCOPE or OUT_OF_SCOPE of benchmarks/upstream/scope.py",
        ),
    ],
)
def test_sources_that_are_refused(tmp_path: Path, module: str | None, test: str, message: str) -> None:
    if module != "":
        (tmp_path / "test" / "pytest").mkdir(parents=True)
    if module:
        (tmp_path / "hls4ml").mkdir()
        (tmp_path / "hls4ml" / "types.py").write_text(module, encoding="utf-8")
    if test:
        (tmp_path / "test" / "pytest" / test).touch()
    done = CliRunner().invoke(own.main, [str(tmp_path)])
    assert done.exit_code == 1
    assert done.output == f"Error: {message.format(tmp_path, version('hls4ml'))}\n"


def test_known_causes_stand_beside_their_message() -> None:
    message = "KeyError: 'clone_inp'"
    failed = own.TestOutcome("test_stream_clone.py", "test_clone_precision_inheritance", "t", "failed", message, 1)
    assert own.judged(failed) == (
        "failed",
        f"{message}: the test reads the attributes of a node that hls4ml's own backends insert to copy streams",
    )
