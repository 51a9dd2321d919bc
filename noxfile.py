"""Environments besides the one of `make setup`: `nox --list` names them, `make test-<name>` and `make plain` run them.

Each session has a virtual environment of its own under build/nox. A session whose Python is not at hand fails and says
so. Only `plain` runs with every Python from 3.10 to 3.13 that is on PATH, and needs none but the one that runs nox.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nox

nox.options.envdir = "build/nox"
nox.options.default_venv_backend = "venv"
nox.options.sessions = ["plain"]

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
TESTS = ("bitarray", "hypothesis", "pytest", "pytest-timeout", "pytest-xdist")
TWO_WORKERS = ("-n", "2", "--dist", "loadscope", "--no-loadscope-reorder")


def runs(version: str) -> bool:
    """Whether a Python of this version is on PATH and starts."""
    path = shutil.which(f"python{version}")
    return bool(path) and subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0


PYTHONS = [
    RUNNING,
    *(version for version in ("3.10", "3.11", "3.12", "3.13") if version != RUNNING and runs(version)),
]


@nox.session(python=PYTHONS)
def plain(session: nox.Session) -> None:
    """Install the wheel without extras and without pins, and check a design with it, as somebody with a board does."""
    folder = Path(session.create_tmp()).resolve()
    design = folder / "design"
    shutil.rmtree(design, ignore_errors=True)
    # The emulated engine needs g++ and the extra `hls`, so the environment of `make setup` compiles it.
    session.run(sys.executable, "-m", "support.program_folder", str(design), external=True)
    for wheel in folder.glob("*.whl"):
        wheel.unlink()
    session.run(
        sys.executable, "-m", "pip", "wheel", "--disable-pip-version-check", "-q", "--no-deps", "-w", str(folder), ".",
        external=True,
    )  # fmt: skip
    session.install(*map(str, folder.glob("ese4ml-*.whl")))
    session.chdir(folder)  # away from the sources, so that the wheel is what runs
    session.run("ese4ml", "info", str(design))
    session.run("ese4ml", "run", str(design))
    session.run("ese4ml", "check", str(design), "--report", str(folder / "report"))
    session.run("ese4ml", "estimate", "lstm", "--inputs", "20", "--units", "32", "--pes", "8")


@nox.session(python="3.10")
def pynq31(session: nox.Session) -> None:
    """The host's tests with pynq 3.1, Python 3.10 and the oldest packages allowed, as images of PYNQ-Z1 and Z2 have."""
    old = ("numpy==1.21.5", "click==8.0.3", "jinja2==3.0.3", "pynq==3.1.2", "pycparser<3", "setuptools<81")
    session.install("-e", ".", *old, *TESTS)
    session.run("pytest", "tests/host", *TWO_WORKERS)


@nox.session
def newest(session: nox.Session) -> None:
    """Tests (tests/hls, or those given behind `--`) with the newest release of hls4ml that pip finds."""
    session.install("-c", "constraints.txt", "-e", ".[train,hls,dev]")
    session.install("--upgrade", "hls4ml>=1.3")
    session.run("python", "-c", "from importlib.metadata import version; print('hls4ml', version('hls4ml'))")
    session.run("pytest", *(session.posargs or ["tests/hls"]), *TWO_WORKERS)


KERAS2 = (
    "tensorflow-cpu==2.14.1", "qkeras==0.9.0", "pyparsing==3.3.3", "tensorflow-model-optimization==0.7.5",
    "numpy==1.26.4", "hls4ml==1.3.0", "hypothesis", "pytest", "pytest-timeout",
)  # fmt: skip
NO_GPU = {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}


@nox.session(python="3.11")
def keras2(session: nox.Session) -> None:
    """The plugin with Keras 2 (QKeras 0.9 on TensorFlow 2.14), which must make the same images as with Keras 3."""
    session.install("-e", ".[hls]", *KERAS2)
    session.run("pytest", "tests/hls/keras2", "-W", "ignore::UserWarning", env=NO_GPU)


@nox.session(python="3.11")
def hls4ml_keras2(session: nox.Session) -> None:
    """hls4ml's own tests with backend ESE under Keras 2, from its source behind `--`: docs/hls4ml-tests-keras2.md."""
    session.install("-e", ".[hls]", *KERAS2)
    session.run("python", "-m", "benchmarks.upstream.own_tests", *checkout(session), env=NO_GPU)


@nox.session(python=False)
def hls4ml(session: nox.Session) -> None:
    """hls4ml's own tests with backend ESE, from its source behind `--`: docs/hls4ml-tests.md."""
    session.run(sys.executable, "-m", "benchmarks.upstream.own_tests", *checkout(session))


def checkout(session: nox.Session) -> list[str]:
    """The path of hls4ml's source that the user gave; ends the session if there is none."""
    given = session.posargs or [path for path in [os.environ.get("HLS4ML")] if path]
    if not given:
        session.error("give a checkout of hls4ml of the installed version: make test-hls4ml HLS4ML=<path>")
    return list(given)
