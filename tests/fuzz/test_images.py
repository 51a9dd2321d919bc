# SPDX-License-Identifier: Apache-2.0
"""Hostile images with sound checksums under sanitizers: the engine refuses them, or answers every packet.

A failure names its cases and the command that runs one of them by itself.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from support.fuzz import IMAGES, image_cases, run_images, unexpected

SHARE = "engine-delta-google"
"""The design of the default run, which compiles only one engine."""


def run(count: int, mutators: tuple[str, ...], folder: Path) -> None:
    cases = image_cases(count, mutators)
    verdicts = run_images(cases, folder)
    assert not (found := unexpected(verdicts)), "\n" + "\n".join(found)
    assert {verdict.outcome for verdict in verdicts.values()} == {"refused", "exact"}


def test_some_images(tmp_path: Path) -> None:
    run(100, (SHARE,), tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mutator", IMAGES)
def test_many_images(mutator: str, tmp_path: Path) -> None:
    run(2000 // len(IMAGES), (mutator,), tmp_path)
