# SPDX-License-Identifier: Apache-2.0
"""Environments besides the one of `make setup`: `nox --list` names them, `make test-<name>` and `make plain` run them.

Each session has a virtual environment of its own under build/nox. A session whose Python is not at hand fails and says
so. Only `plain` runs with every Python from 3.10 to 3.13 that is on PATH, and needs none but the one that runs nox.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nox

nox.options.envdir = "build/nox"
nox.options.default_venv_backend = "venv"
nox.options.sessions = ["plain"]

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
TESTS = ("bitarray", "hypothesis", "pytest", "pytest-timeout", "pytest-xdist")
HOST_TESTS = tuple(f"tests/host/{room}" for room in ("files", "image", "protocol", "ir"))
TWO_WORKERS = ("-n", "2", "--dist", "loadscope", "--no-loadscope-reorder")


def runs(version: str) -> bool:
    """Whether a Python of this version is on PATH and starts."""
    path = shutil.which(f"python{version}")
    return bool(path) and subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0


PYTHONS = [
    RUNNING,
    *(version for version in ("3.10", "3.11", "3.12", "3.13") if version != RUNNING and runs(version)),
]


OLDEST_NUMPY = {"3.10": "1.21.3", "3.11": "1.23.2", "3.12": "1.26.0", "3.13": "2.1.0"}
"""The oldest release of NumPy that has wheels for each Python and that pyproject.toml allows."""


@nox.session(python=PYTHONS)
def plain(session: nox.Session) -> None:
    """Install the wheel without extras, and use a design with it, as somebody with a board does.

    First with the packages that pip chooses, then with the oldest NumPy that is allowed.
    """
    folder = Path(session.create_tmp()).resolve()
    design, chain, cells = folder / "design", folder / "chain", Path("support/notebooks.py").resolve()
    # A record of builds of its own, because the user's may not be writable in continuous integration.
    session.env["XDG_STATE_HOME"] = str(folder / "state")
    session.env["ESE4ML_DESIGN"] = str(chain)
    # The emulated engine needs g++ and the extra `hls`, so the environment of `make setup` compiles it.
    for path, options in ((design, []), (chain, ["--chain"])):
        shutil.rmtree(path, ignore_errors=True)
        session.run(sys.executable, "-m", "support.program_folder", str(path), *options, external=True)
    for wheel in folder.glob("*.whl"):
        wheel.unlink()
    session.run(
        sys.executable, "-m", "pip", "wheel", "--disable-pip-version-check", "-q", "--no-deps", "-w", str(folder), ".",
        external=True,
    )  # fmt: skip
    session.install("--upgrade", *map(str, folder.glob("ese4ml-*.whl")))
    session.chdir(folder)  # away from the sources, so that the wheel is what runs
    for numpy in ("", OLDEST_NUMPY[str(session.python)]):
        if numpy:
            session.install(f"numpy=={numpy}")
        session.run("python", "-c", "import numpy; print('NumPy', numpy.__version__)")
        session.run("ese4ml", "info", str(design))
        session.run("ese4ml", "run", str(design))
        session.run("ese4ml", "check", str(design), "--report", str(folder / "report"))
        session.run("ese4ml", "pack", str(design), "--out", str(folder / "packed"))
        session.run("ese4ml", "check", str(folder / "packed"), "--report", str(folder / "report"))
        session.run("ese4ml", "estimate", "lstm", "--inputs", "20", "--units", "32", "--pes", "8")
        session.run("ese4ml", "estimate", "image", str(chain))
        session.run("python", str(cells))


@nox.session(python=RUNNING)
def release(session: nox.Session) -> None:
    """Build what a package index takes into dist/, check its metadata, and test the source distribution by itself.

    Behind `--` stand the tests to run in the unpacked source distribution; the host's tests of files, images, packets
    and networks if there are none.
    """
    dist = Path("dist").resolve()
    for old in dist.glob("ese4ml-*"):
        old.unlink()
    session.install("build", "twine", *TESTS)
    session.run("python", "-m", "build", "--outdir", str(dist), silent=True)
    (source,), (wheel,) = dist.glob("ese4ml-*.tar.gz"), dist.glob("ese4ml-*.whl")  # the wheel is built from the source
    session.run("twine", "check", "--strict", str(source), str(wheel))
    folder = Path(session.create_tmp()).resolve() / "source"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.unpack_archive(source, folder)
    session.install(str(wheel))
    session.chdir(next(folder.iterdir()))
    session.run("pytest", *(session.posargs or HOST_TESTS), *TWO_WORKERS)


@nox.session(python="3.10")
def pynq31(session: nox.Session) -> None:
    """The host's tests with pynq 3.1, Python 3.10 and the oldest packages allowed, as images of PYNQ-Z1 and Z2 have."""
    old = ("numpy==1.21.5", "click==8.0.3", "jinja2==3.0.3", "pynq==3.1.2", "pycparser<3", "setuptools<81")
    session.install("-e", ".", *old, *TESTS)
    session.run("pytest", "tests/host", *TWO_WORKERS)


BITS32 = Path("build/bits32")
BITS32_PACKAGES = (
    "g++", "python3-bitarray", "python3-click", "python3-hypothesis", "python3-jinja2", "python3-numpy",
    "python3-pytest", "python3-pytest-timeout", "python3-pytest-xdist",
)  # fmt: skip


@nox.session(python=False)
def bits32(session: nox.Session) -> None:
    """The host's tests on a 32-bit Python, as a PYNQ-Z2 has, in an i386 Debian under build/ or the one behind `--`.

    After `make demo`, the memory of `check` on the demo's design is measured too.
    """
    if os.geteuid():
        session.error("a root folder is made and entered by root only: sudo make test-32bit")
    root = Path(session.posargs[0]) if session.posargs else BITS32 / "root"
    if not session.posargs and not root.is_dir():
        make_root(session, root)
    site = BITS32 / "site"
    shutil.rmtree(site, ignore_errors=True)
    session.run(
        sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "-q", "--no-deps", "--target", str(site),
        ".", external=True,
    )  # fmt: skip

    def run(*command: str, **options: Any) -> Any:
        """Run a command in the root, with this folder at /mnt."""
        mounts = 'mount --bind . "$0/mnt" && mount -t proc proc "$0/proc" && mount -t tmpfs tmpfs "$0/tmp"'
        enter = 'exec chroot "$0" env -i "$@"'
        settings = ("-C", "/mnt", "LANG=C.UTF-8", "PATH=/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE=1")
        return session.run(
            "unshare", "--mount", "sh", "-c", f"{mounts} && {enter}", str(root), *settings, f"PYTHONPATH=/mnt/{site}",
            *command, external=True, **options,
        )  # fmt: skip

    narrow = run("python3", "-c", "import sys; print(sys.maxsize < 1 << 32)", silent=True, success_codes=range(256))
    if "True" not in (narrow or ""):
        session.error(f"{root} has no 32-bit Python that runs here: give the folder of another root, or delete it")
    run("python3", "-m", "pytest", "tests/host", "-n", "2", "--dist", "loadscope")
    run("python3", "-m", "pytest", "tests/host/test_memory.py", "-m", "slow", "-rsP")


def make_root(session: nox.Session, root: Path) -> None:
    """Make an i386 Debian of the release that this machine has, from the repository that its apt is set to."""
    if not (shutil.which("mmdebstrap") and shutil.which("arch-test")):
        session.error("mmdebstrap or arch-test is not on PATH: apt-get install mmdebstrap arch-test (Debian 12)")
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    line = "deb $(REPO_URI) $(RELEASE) $(COMPONENT)"
    chosen = ("Identifier: Packages", "Origin: Debian", f"Codename: {codename}", "Component: main")
    found = session.run("apt-get", "indextargets", "--format", line, *chosen, external=True, silent=True) or ""
    if not found.strip():
        session.error(
            "apt has no list of a Debian release: apt-get update, or give the folder of an i386 root behind --"
        )
    source = found.splitlines()[0]
    part = root.with_suffix(".part")  # a root that is not complete must not be taken for one
    shutil.rmtree(part, ignore_errors=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    options = ("--mode=root", "--architectures=i386", "--variant=apt", f"--include={','.join(BITS32_PACKAGES)}")
    session.run("mmdebstrap", *options, codename, str(part), source, external=True)
    part.rename(root)


@nox.session
def newest(session: nox.Session) -> None:
    """Tests (tests/hls, or those given behind `--`) with the newest release of hls4ml that pip finds."""
    session.install("-c", "constraints.txt", "-e", ".[train,hls,rtl,dev]")
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
    """hls4ml's own tests with backend ESE under Keras 2, from its source behind `--`: hls4ml-tests-keras2.md."""
    session.install("-e", ".[hls]", *KERAS2)
    session.run("python", "-m", "benchmarks.upstream.own_tests", *checkout(session), env=NO_GPU)


@nox.session(python=False)
def hls4ml(session: nox.Session) -> None:
    """hls4ml's own tests with backend ESE, from its source behind `--`: docs/results/hls4ml-tests.md."""
    session.run(sys.executable, "-m", "benchmarks.upstream.own_tests", *checkout(session))


def checkout(session: nox.Session) -> list[str]:
    """The path of hls4ml's source that the user gave; ends the session if there is none."""
    given = session.posargs or [path for path in [os.environ.get("HLS4ML")] if path]
    if not given:
        session.error("give a checkout of hls4ml of the installed version: make test-hls4ml HLS4ML=<path>")
    return list(given)
