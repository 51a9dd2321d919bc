"""The host is a leaf: importing it brings neither TensorFlow nor hls4ml nor pynq."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

import ese_host

HEAVY = ("tensorflow", "keras", "qkeras", "hls4ml", "pynq", "ese_hls", "ese_models")
NEEDS_PYNQ = ("ese_host.device.emulated_pynq", "ese_host.device.remote")
MODULES = sorted(item.name for item in pkgutil.walk_packages(ese_host.__path__, "ese_host."))


def heavy_after(statements: str) -> set[str]:
    """Heavy modules that a fresh interpreter has loaded after some statements."""
    code = f"{statements}\nimport sys\nprint(*({{name.partition('.')[0] for name in sys.modules}} & set({HEAVY!r})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return set(done.stdout.split())


def test_importing_the_host_is_light() -> None:
    names = [name for name in MODULES if name not in NEEDS_PYNQ]
    assert "ese_host.accelerator" in names and "ese_host.cli" in names
    assert heavy_after("\n".join(f"import {name}" for name in names)) == set()


def test_that_this_test_would_notice() -> None:
    pytest.importorskip("pynq")
    assert "pynq" in heavy_after(f"import {NEEDS_PYNQ[0]}")
    assert heavy_after("import sys, types; sys.modules['hls4ml'] = types.ModuleType('hls4ml')") == {"hls4ml"}


def test_an_emulated_device_is_found_only_when_offered() -> None:
    pytest.importorskip("pynq")
    code = (
        "import warnings; warnings.simplefilter('ignore')\n"
        "from pynq.pl_server.device import Device\n"
        "from ese_host.device.emulated_pynq import EmulatedDevice\n"
        "assert Device.devices == []\n"
        "device = EmulatedDevice('pynq-z2')\n"
        "assert Device.devices == []\n"
        "device.offer()\n"
        "assert Device.active_device is device\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
