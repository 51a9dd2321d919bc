# SPDX-License-Identifier: Apache-2.0
"""The cost of the host: the time that `Accelerator` adds to the compiled engine. Writes docs/results/host-benchmark.md.

    python -m benchmarks.host bitstreams/vowels-ternary

The cost of the host's Python is the processor time of the calling thread, which other work on the machine does not
change. The engine without the host and the host are timed in turns.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from benchmarks.page import publish
from ese_host.bundle import BIT, TESTSET, testset
from ese_host.device import Driver
from ese_host.device.emulated import EmulatedEngine
from ese_host.ir.program import INPUT
from ese_host.protocol import TRAILER_WORDS, load_packet, run_packet
from ese_host.runtime import Accelerator, EnginePool

Times = tuple[float, float, float]
ROOT = Path(__file__).resolve().parents[1]
CALLS, ROUNDS = 300, 15
BATCHES = (1, 16, 64, 256)


@dataclass(frozen=True)
class LatencyRow:
    """Times of a call, in microseconds, of one driver and batch.

    Attributes:
        driver: name of the driver.
        batch: sequences of a call.
        engine: best elapsed time of the engine without the host.
        host: best elapsed time of `Accelerator.run`.
        share: the engine's processor time of all threads over that of the call; median over the rounds, so that other
            work on the machine affects both.
        elapsed_share: the same by elapsed time.
        thread_best: best processor time of the calling thread.
        thread_median: median processor time of the calling thread.
    """

    driver: str
    batch: int
    engine: float
    host: float
    share: float
    elapsed_share: float
    thread_best: float
    thread_median: float

    @classmethod
    def of(cls, driver: str, batch: int, alone: list[Times], calls: list[Times]) -> LatencyRow:
        """The row of measured times.

        Args:
            driver: name of the driver.
            batch: sequences of a call.
            alone: times of the engine without the host, one for each round.
            calls: times of the host's calls, one for each round.
        """
        engine, host = np.array(alone), np.array(calls)
        elapsed, processor, _ = np.median(engine / host, axis=0)
        thread = host[:, 2]
        return cls(
            driver, batch, engine[:, 0].min(), host[:, 0].min(), processor, elapsed, thread.min(), np.median(thread)
        )


def timed(work: Callable[[], object]) -> Times:
    """Elapsed time, processor time of all threads, and processor time of this thread, in microseconds."""
    before = time.perf_counter(), time.process_time(), time.thread_time()
    work()
    after = time.perf_counter(), time.process_time(), time.thread_time()
    wall, process, thread = (1e6 * (end - start) for start, end in zip(before, after, strict=True))
    return wall, process, thread


def busy() -> float:
    """Processor seconds that this machine has spent since it started, without those of this process."""
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK") - time.process_time()


def measure(folder: Path, driver: Driver) -> list[LatencyRow]:
    """Rows of all batches with one driver."""
    rows = []
    with Accelerator(folder, driver=driver) as host:
        tests = testset.read(host.folder.file(TESTSET), host.program)
        chosen = np.arange(max(BATCHES)) % len(tests.steps)
        inputs, steps = tests.inputs[INPUT].codes[chosen], tests.steps[chosen]
        engine = EmulatedEngine(host.folder.file(BIT))
        engine.packet(load_packet(host.image.words), TRAILER_WORDS)
        for batch in BATCHES:
            sequences = [inputs[i, : steps[i]] for i in range(batch)]
            packet = run_packet(host.image.image_id, sequences, host.shape.source)
            answer = np.empty(host.shape.words(steps[:batch], False), dtype=np.uint32)
            alone, calls = [], []
            for _ in range(CALLS if batch == 1 else ROUNDS):
                alone.append(timed(lambda: engine.packet_into(packet, answer)))  # noqa: B023
                calls.append(timed(lambda: host.run(inputs[:batch], steps[:batch])))  # noqa: B023
            rows.append(LatencyRow.of(driver, batch, alone, calls))
        engine.close()
    return rows


def stream(folder: Path, driver: Driver) -> tuple[float, float]:
    """Sequences per second of one engine, in packets of 64, and of two engines at once."""
    accelerators = [Accelerator(folder, driver=driver) for _ in range(2)]
    tests = testset.read(accelerators[0].folder.file(TESTSET), accelerators[0].program)
    inputs, count = tests.inputs[INPUT].codes, len(tests.steps)
    with EnginePool(accelerators) as engines:
        one = min(timed(lambda: list(accelerators[0].stream(inputs, tests.steps, batch=64)))[0] for _ in range(3))
        two = min(timed(lambda: engines.run(inputs, tests.steps))[0] for _ in range(3))
    return 1e6 * count / one, 1e6 * count / two


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=ROOT / "docs" / "results" / "host-benchmark.md",
    help="Page to write.  [default: docs/results/host-benchmark.md]",
)
def main(folder: Path, out: Path) -> None:
    """Measure the emulated design in FOLDER, and write docs/results/host-benchmark.md."""
    begun = time.perf_counter(), busy()
    drivers: list[Driver] = ["pynq", "adapter"] if importlib.util.find_spec("pynq") else ["adapter"]
    rows = [row for driver in drivers for row in measure(folder, driver)]
    streams = {driver: stream(folder, driver) for driver in drivers}
    others = (busy() - begun[1]) / (time.perf_counter() - begun[0]) / (os.cpu_count() or 1)
    with Accelerator(folder, driver="adapter") as host:
        steps = int(testset.read(host.folder.file(TESTSET), host.program).steps[0])
        name = host.folder.path.name
    publish(
        out,
        Path(__file__).with_name("host.md.jinja"),
        command=f"python -m benchmarks.host bitstreams/{name}",
        machine=f"{platform.machine()} Linux, Python {platform.python_version()}, numpy {np.__version__}",
        design=name,
        steps=steps,
        rows=rows,
        rounds=ROUNDS,
        calls=CALLS,
        streams=streams,
        cores=os.cpu_count(),
        others=others,
    )


if __name__ == "__main__":
    sys.exit(main())
