# SPDX-License-Identifier: Apache-2.0
"""Float samples that a user gives to a conversion, as arrays or in a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ese_host.errors import UnsupportedError
from ese_host.interface import HOLDS, SampleFile, read_samples
from ese_host.ir import shown


def calibration_from(given: Any) -> Any:
    """Samples of the argument `calibration`: what `predict` takes, or a file; its training samples if it has any."""
    if not isinstance(given, (str, os.PathLike)):
        return given
    samples = SampleFile.read(Path(given)).split("train")[0]
    return read_samples(Path(given))[0] if samples is None else samples


def test_from(given: Any) -> tuple[Any, Any]:
    """Samples and labels of the argument `test`: a pair, or a file of them.

    Raises:
        UnsupportedError: if it is neither.
    """
    if isinstance(given, (str, os.PathLike)):
        return read_samples(Path(given))
    if isinstance(given, tuple) and len(given) == 2:
        return given
    raise UnsupportedError(
        f"test is {shown(given)}; a pair (x, y) of samples and labels, or the path of an .npz file with {HOLDS}, is "
        "allowed: give None as y if there are no labels"
    )
