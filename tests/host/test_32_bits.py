# SPDX-License-Identifier: Apache-2.0
"""The tests of this folder pass on a 32-bit Python, as a PYNQ-Z2 has: `make test-32bit` as one slow test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT32 = os.environ.get("ROOT32", "")
"""Folder of an i386 Debian that is there already; without it, one is made under build/."""
POSSIBLE = os.geteuid() == 0 and (ROOT32 or (shutil.which("mmdebstrap") and shutil.which("arch-test")))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not POSSIBLE, reason="needs root, and mmdebstrap and arch-test, or ROOT32=<an i386 Debian>")
def test_the_hosts_tests_pass_on_a_32_bit_python() -> None:
    command = [sys.executable, "-m", "nox", "-s", "bits32", "--", *([ROOT32] if ROOT32 else [])]
    subprocess.run(command, cwd=Path(__file__).parents[2], check=True)
