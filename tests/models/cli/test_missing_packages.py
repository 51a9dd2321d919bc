# SPDX-License-Identifier: Apache-2.0
"""A missing package of the extra `train` is told by the name of the extra, with exit code 2."""

from __future__ import annotations

import subprocess
import sys


def test_data_without_scipy() -> None:
    """In a process of its own, because the modules of the data sets ask for the package when they are imported."""
    code = "import sys; sys.modules['scipy'] = None; from ese_host.cli.main import main; main(['data', '--json'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr == "error: ese4ml data needs the 'train' extra: pip install 'ese4ml[train]'\n"
