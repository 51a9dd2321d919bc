# SPDX-License-Identifier: Apache-2.0
"""`check` runs a design's test set on its engine and compares every value with the golden model."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ese_host.bundle import PROVENANCE, TESTSET, Folder, Provenance, TestSet, provenance, read_decoder, testset
from ese_host.check.agreement import Agreement
from ese_host.check.compare import Comparison, compare_program
from ese_host.check.latency import host_time, session_latency
from ese_host.check.metrics import Checked, Report, SingleRun, Totals, report
from ese_host.decoding import PhoneScores
from ese_host.device import Driver, Meter
from ese_host.errors import FormatError
from ese_host.ir import shown
from ese_host.runtime import Accelerator, Engine, run_program
from ese_host.runtime import open as open_engine

BATCH = 64
"""Most sequences that are run with a trace and compared at once."""
LATENCY_SAMPLES = 200
"""Most sequences that are run one by one to measure latency."""


def check(
    folder: str | Path | Folder,
    *,
    trace: bool | None = None,
    device: Any = None,
    driver: Driver = "auto",
    trust: bool = False,
    timeout: float | None = None,
    command: str = "ese4ml check",
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Run a design's test set and compare every value with the golden model.

    Args:
        folder: a design folder, bitstreams/<design>, or a path of it.
        trace: whether h and c of every step are compared too; None compares them only on an emulated engine.
        device: a pynq `Device`, or None to choose one that fits.
        driver: library that drives the device, see `Accelerator`.
        trust: whether an emulated bitstream may be loaded although this user did not build it, see `Accelerator`.
        timeout: seconds to wait for the answer to one packet, see `Accelerator`.
        command: command line that the report names.
        progress: called with the number of sequences done since the last call, and the number of all sequences.

    Returns:
        The report as plain values for JSON. Values that differ are reported in it and raise no error.

    Raises:
        FormatError: if `trace` is none of True, False and None.
        EseError: if a file of the folder is damaged or missing, or the device fails.
    """
    if not (trace is None or isinstance(trace, bool)):
        raise FormatError(f"trace is {shown(trace)}; expected True, False or None")
    with open_engine(folder, device=device, driver=driver, timeout=timeout, trust=trust) as engine:
        accelerator = engine.accelerator
        tests = testset.read(accelerator.folder.file(TESTSET), accelerator.program)
        files = accelerator.folder.manifest.files
        record = provenance.read(accelerator.folder.file(PROVENANCE)) if PROVENANCE in files else Provenance()
        traced = accelerator.emulated if trace is None else trace
        meter = Meter(accelerator.folder.manifest.board, here=accelerator.on_board)
        checked = _run(engine, tests, traced, progress, meter)
        return {**report(accelerator, tests, record, checked, command), "power": meter.power.to_json()}


def _run(
    engine: Engine,
    tests: TestSet,
    trace: bool,
    progress: Callable[[int, int], None] | None,
    meter: Meter,
) -> Checked:
    accelerator = engine.accelerator
    shapes = {part.chain: part.shape for part in accelerator.parts}
    comparison, total = Comparison(), len(tests.steps)
    agreements: list[Agreement] = []
    decoder, labels = read_decoder(accelerator.folder, accelerator.program), tests.outputs[0].frame_labels
    phones = None if decoder is None or labels is None else PhoneScores(decoder, labels)
    batch = min(BATCH, tests.at_once)
    with ThreadPoolExecutor(1) as pool:
        comparing = None  # the comparison of a batch, while the engine runs the next one
        for start in range(0, total, batch):
            result = run_program(accelerator, *tests.part(start, start + batch), trace=trace)
            if comparing is not None:
                comparing.result()
            comparing = pool.submit(compare_program, comparison, result, shapes, start)
            agreements = agreements or [
                Agreement.of(result.run, expected, shown.classes)
                for expected, shown in zip(tests.outputs, engine.interface.outputs, strict=True)
            ]
            for agreement in agreements:
                agreement.add(result.run)
            if phones is not None:
                phones.add(result.run)
            if progress is not None:
                progress(min(batch, total - start), total)
        if comparing is not None:
            comparing.result()
    with meter:
        plain = Totals()
        for start in range(0, total, tests.at_once):
            result = run_program(accelerator, *tests.part(start, start + tests.at_once))
            plain.add(result)
            if trace:
                compare_program(comparison, result, shapes, start)
        singles = [_single(accelerator, tests, number) for number in range(min(total, LATENCY_SAMPLES))]
    figures = tuple(item.to_json() for item in agreements)
    session = None if comparison.mismatches else session_latency(engine, tests, plain.seconds / plain.steps)
    return Checked(comparison, figures, trace, plain, singles, session, {} if phones is None else phones.to_json())


def _single(accelerator: Accelerator, tests: TestSet, number: int) -> SingleRun:
    """The times of one sample by itself."""
    with host_time(accelerator) as host:
        result = run_program(accelerator, *tests.part(number, number + 1))
    single = Totals()
    single.add(result)
    return SingleRun(single.seconds, host.seconds, result.cycles)
