# SPDX-License-Identifier: Apache-2.0
"""Importing the host package imports neither TensorFlow, hls4ml nor pynq, nor anything that a board's image lacks."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

import ese_host

HEAVY = ("tensorflow", "keras", "qkeras", "hls4ml", "pynq", "pygal", "ese_hls", "ese_models")
NEED_MORE = ("ese_host.device.emulated.pynq_device", "ese_host.device.remote", "ese_host.check.plots")
PRESENT = ("click", "jinja2")
"""Packages that PYNQ's images have, and that only the command line and the report need."""
MODULES = sorted(item.name for item in pkgutil.walk_packages(ese_host.__path__, "ese_host."))


def heavy_after(statements: str) -> set[str]:
    """The packages named above that a fresh interpreter has loaded after some statements."""
    known = HEAVY + PRESENT
    code = f"{statements}\nimport sys\nprint(*({{name.partition('.')[0] for name in sys.modules}} & set({known!r})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return set(done.stdout.split())


def test_importing_the_host_is_light() -> None:
    names = [name for name in MODULES if name not in NEED_MORE]
    assert "ese_host.runtime.accelerator" in names and "ese_host.cli.main" in names
    assert heavy_after("\n".join(f"import {name}" for name in names)) <= set(PRESENT)


def test_accelerator_and_check_need_only_numpy() -> None:
    assert heavy_after("import ese_host.check.checker, ese_host.runtime.pool") == set()


def test_that_this_test_would_notice() -> None:
    pytest.importorskip("pynq")
    assert "pynq" in heavy_after(f"import {NEED_MORE[0]}")
    assert heavy_after("import sys, types; sys.modules['hls4ml'] = types.ModuleType('hls4ml')") == {"hls4ml"}


def test_an_emulated_device_is_found_only_when_offered() -> None:
    pytest.importorskip("pynq")
    code = (
        "import warnings; warnings.simplefilter('ignore')\n"
        "from pynq.pl_server.device import Device\n"
        "from ese_host.device.emulated.pynq_device import EmulatedDevice\n"
        "assert Device.devices == []\n"
        "device = EmulatedDevice('pynq-z2')\n"
        "assert Device.devices == []\n"
        "device.offer()\n"
        "assert Device.active_device is device\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
