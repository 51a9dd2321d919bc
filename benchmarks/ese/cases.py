# SPDX-License-Identifier: Apache-2.0
"""The runs of the page: networks of the study, each on an engine."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from benchmarks.study import Store, StudyCell, questions
from ese_host.estimate.cycles import Engine

ROOT = Path(__file__).resolve().parents[2]
KEPT = Store(ROOT / "benchmarks" / "study" / "ese-speech")
WORK = ROOT / "build" / "ese"
SOURCES = {"hls": ROOT / "hls" / "ese_hls" / "csrc" / "engine", "rtl": ROOT / "hls" / "ese_rtl"}
"""Folders of the sources of each engine."""
UTTERANCES: dict[Engine, int] = {"hls": 20}
"""Test utterances, from the first on, that each engine runs."""
CLOCKED = 1
"""Those of them, from the first on, that are run without trace too, which takes clocks of its own: for the clocks."""


@dataclass(frozen=True)
class EseRun:
    """A network on an engine.

    Attributes:
        weights: kind of the network's weights, as the study names it.
        engine: the engine in HLS, emulated, or in RTL, of which every clock is simulated.
    """

    weights: str
    engine: Engine

    @property
    def name(self) -> str:
        """Name of the run's result, and of its design folder."""
        return self.weights if self.engine == "hls" else f"{self.weights}-rtl"

    @property
    def cell(self) -> StudyCell:
        """The cell of the study that trained the network."""
        return next(cell for cell in large_cells() if cell.weights == self.weights)

    def sources(self) -> str:
        """The first 16 hexadecimal digits of a digest of the network, its decoder and the engine's sources."""
        files = [path for path in SOURCES[self.engine].rglob("*") if path.suffix in (".h", ".py")]
        files += KEPT.folder.glob(f"{self.cell.key}.*")
        digests = [hashlib.sha256(path.read_bytes()).digest() for path in sorted(files)]
        return hashlib.sha256(b"".join(digests)).hexdigest()[:16]


RUNS = tuple(EseRun(weights, engine) for engine in UTTERANCES for weights in ("int4", "ttq"))


def large_cells() -> tuple[StudyCell, ...]:
    """The study's cells of ESE's layer at its size."""
    return questions()[4].cells
