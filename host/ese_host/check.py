"""`check`: a design's test set through its engine, every value compared with the golden model, and the figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ese_host import provenance, testset
from ese_host.accelerator import Accelerator
from ese_host.compare import Comparison, compare
from ese_host.device.platform import Driver
from ese_host.figures import Checked, Report, report
from ese_host.manifest import PROVENANCE, TESTSET
from ese_host.power import Meter
from ese_host.provenance import Provenance
from ese_host.results import Result
from ese_host.testset import TestSet

BATCH = 64
LATENCY_SAMPLES = 200


def check(
    folder: str | Path,
    *,
    trace: bool | None = None,
    device: Any = None,
    driver: Driver = "auto",
    command: str = "ese4ml check",
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Run a design's test set and compare every value with the golden model.

    Args:
        folder: bitstreams/<design>.
        trace: compare every h and c of every step too; by default on an emulated engine only.
        device: a pynq Device, or None for the one that fits.
        driver: see `Accelerator`.
        command: how the check was called, for the report.
        progress: called with the number of sequences done since the last call, and the number in all.

    Returns:
        The report, plain values throughout.

    Raises:
        EseError: the folder is not sound, or the device does not do as told. A mismatch is no exception.
    """
    with Accelerator(folder, device=device, driver=driver) as accelerator:
        tests = testset.read(accelerator.folder.file(TESTSET), accelerator.network)
        known = accelerator.folder.manifest.files
        record = provenance.read(accelerator.folder.file(PROVENANCE)) if PROVENANCE in known else Provenance()
        traced = accelerator.emulated if trace is None else trace
        meter = Meter(accelerator.folder.manifest.board, here=accelerator.on_board)
        checked = _run(accelerator, tests, traced, progress, meter)
        return {**report(accelerator, tests, record, checked, command), "power": meter.power.to_json()}


def _run(
    accelerator: Accelerator,
    tests: TestSet,
    trace: bool,
    progress: Callable[[int, int], None] | None,
    meter: Meter,
) -> Checked:
    comparison, classes, start = Comparison(), [], 0
    for result in accelerator.stream(tests.inputs, tests.steps, trace=trace, batch=BATCH):
        count = len(result.steps)
        compare(comparison, accelerator.network, tests.inputs[start : start + count], result, accelerator.shape, start)
        classes.append(result.classes())
        start += count
        if progress is not None:
            progress(count, len(tests.steps))
    with meter:
        plain = accelerator.run(tests.inputs, tests.steps)
        singles = [_single(accelerator, tests, i) for i in range(min(len(tests.steps), LATENCY_SAMPLES))]
    if trace:
        compare(comparison, accelerator.network, tests.inputs, plain, accelerator.shape)
    latencies = [single.seconds for single in singles]
    steps = int(plain.steps.sum())
    return Checked(comparison, np.concatenate(classes), trace, steps, plain.cycles, plain.seconds, latencies)


def _single(accelerator: Accelerator, tests: TestSet, index: int) -> Result:
    return accelerator.run(tests.inputs[index : index + 1], tests.steps[index : index + 1])
