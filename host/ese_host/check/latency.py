# SPDX-License-Identifier: Apache-2.0
"""The time of a call: the host's work apart from the engine's, for single samples and for frames of a session."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ese_host.bundle import TestSet
from ese_host.errors import UnsupportedError
from ese_host.runtime import Accelerator, Engine, Session

FRAMES = (1, 2, 4, 8, 16, 32)
"""Frames per packet whose time is measured."""
ROUNDS = 20
"""Most packets of each size; the median counts."""
BUDGET = 1.5
"""Seconds that the measurement of a session may take, as far as the engine's pace lets one foresee it."""


@dataclass
class HostTime:
    """Processor time of this thread in a block of calls, without its waits for answers.

    Attributes:
        seconds: the time, once the block has ended.
    """

    seconds: float = 0.0


@contextmanager
def host_time(accelerator: Accelerator) -> Iterator[HostTime]:
    """Context that measures the host's own work in it."""
    measured = HostTime()
    begun, waited = time.thread_time(), accelerator.waited
    yield measured
    measured.seconds = time.thread_time() - begun - (accelerator.waited - waited)


def session_latency(engine: Engine, tests: TestSet, step_seconds: float) -> dict[str, Any]:
    """Times of a session's packets by their number of frames, and why there are none if the model has no session.

    Args:
        engine: the opened design.
        tests: the test set, whose first frames are run.
        step_seconds: host time that a step takes at this engine's pace; larger packets that would take too long are
            left out.
    """
    try:
        session = engine.session()
    except UnsupportedError as error:
        return {"packets": [], "refused": str(error)}
    port = engine.program.inputs[0]
    codes = next(iter(tests.inputs.values())).codes.reshape(-1, port.width)
    values = port.format.to_float(np.resize(codes, (max(FRAMES), port.width)))
    rows: list[dict[str, Any]] = []
    left, step_seconds = BUDGET, max(step_seconds, 1e-9)
    for frames in FRAMES:
        rounds = min(ROUNDS, int(BUDGET / len(FRAMES) / (frames * step_seconds)))
        expected = max(1, rounds) * frames * step_seconds
        if expected > left:
            break
        left -= expected
        rows.append(_packets(engine.accelerator, session, values[:frames], max(1, rounds)))
    return {"packets": rows, "refused": None}


def _packets(accelerator: Accelerator, session: Session, values: Any, rounds: int) -> dict[str, Any]:
    """The median time of a packet of some frames, after one packet that nobody times."""
    clock = accelerator.folder.manifest.clock_mhz
    session.run(values[:1], scaled=True)
    times = []
    before = session.cycles
    for _ in range(rounds):
        with host_time(accelerator) as host:
            session.run(values, scaled=True)
        times.append(host.seconds)
    host_us, engine_us = 1e6 * float(np.median(times)), (session.cycles - before) / rounds / clock
    return {
        "frames": len(values),
        "host_us": host_us,
        "engine_us": engine_us,
        "packet_us": host_us + engine_us,
        "us_per_frame": (host_us + engine_us) / len(values),
    }
