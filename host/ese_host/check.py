"""`check`: a design's test set through its engine, every value compared with the golden model, and the figures."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from ese_host import cycles, testset
from ese_host.accelerator import Accelerator, Result
from ese_host.compare import Comparison, compare
from ese_host.device.platform import Driver
from ese_host.errors import FormatError
from ese_host.fixed import Codes
from ese_host.manifest import PROVENANCE, TESTSET, Folder
from ese_host.network import Lstm, Matrix, Network
from ese_host.testset import TestSet

BATCH = 64
LATENCY_SAMPLES = 200

Report = dict[str, Any]


@dataclass(frozen=True)
class Timing:
    """What the host's clock and the engine's counter saw.

    Attributes:
        steps: frames run. cycles: the engine's iterations for them. seconds: host time, packet to answer.
        latencies: host seconds of single sequences.
    """

    steps: int
    cycles: int
    seconds: float
    latencies: list[float]


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
        provenance = read_provenance(accelerator.folder)
        traced = accelerator.emulated if trace is None else trace
        comparison, classes, timing = _run(accelerator, tests, traced, progress)
        return _report(accelerator, tests, provenance, comparison, classes, timing, traced, command)


def read_provenance(folder: Folder) -> dict[str, Any]:
    """provenance.json, where the folder has one: what training and compression say about the model.

    Raises:
        FormatError: it is no JSON object.
    """
    if PROVENANCE not in folder.manifest.files:
        return {}
    path = folder.file(PROVENANCE)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: not JSON ({error}); emit the project again") from error
    if not isinstance(value, dict):
        raise FormatError(f"{path}: is a {type(value).__name__}; expected an object")
    return value


def _run(
    accelerator: Accelerator, tests: TestSet, trace: bool, progress: Callable[[int, int], None] | None
) -> tuple[Comparison, Codes, Timing]:
    comparison, classes, start = Comparison(), [], 0
    steps = total = 0
    seconds = 0.0
    for result in accelerator.stream(tests.inputs, tests.lengths, trace=trace, batch=BATCH):
        count = len(result.steps)
        compare(comparison, accelerator.network, tests.inputs[start : start + count], result, accelerator.shape, start)
        classes.append(result.classes())
        steps, total, seconds = steps + int(result.steps.sum()), total + result.cycles, seconds + result.seconds
        start += count
        if progress is not None:
            progress(count, len(tests.lengths))
    if trace:
        plain = accelerator.run(tests.inputs, tests.lengths)
        compare(comparison, accelerator.network, tests.inputs, plain, accelerator.shape)
        steps, total, seconds = int(plain.steps.sum()), plain.cycles, plain.seconds
    singles = [_single(accelerator, tests, i) for i in range(min(len(tests.lengths), LATENCY_SAMPLES))]
    return comparison, np.concatenate(classes), Timing(steps, total, seconds, [single.seconds for single in singles])


def _single(accelerator: Accelerator, tests: TestSet, index: int) -> Result:
    return accelerator.run(tests.inputs[index : index + 1], tests.lengths[index : index + 1])


def _report(
    accelerator: Accelerator,
    tests: TestSet,
    provenance: dict[str, Any],
    comparison: Comparison,
    classes: Codes,
    timing: Timing,
    trace: bool,
    command: str,
) -> Report:
    manifest, network, image = accelerator.folder.manifest, accelerator.network, accelerator.image
    weights, kept = _weights(network)
    engine = "emulated engine (compiled C++)" if accelerator.emulated else "board"
    here = f"measured on the {engine}, `{command}`"
    modelled = f"modelled: engine iterations, counted by the {engine}, at {manifest.clock_mhz} MHz, `{command}`"
    cycles_per_step = timing.cycles / timing.steps
    frames = manifest.clock_mhz * 1e6 / cycles_per_step if accelerator.emulated else timing.steps / timing.seconds
    account = cycles.account(image, manifest.design, int(tests.lengths[0]))
    report: Report = {
        "report": 1,
        "design": accelerator.folder.path.resolve().name,
        "kind": manifest.kind,
        "driver": accelerator.driver,
        "board": manifest.board,
        "part": manifest.part,
        "clock_mhz": manifest.clock_mhz,
        "design_id": f"{manifest.design.design_id:#010x}",
        "image_id": f"{image.image_id:#010x}",
        "weights": manifest.design.weights,
        "pes": manifest.design.pes,
        "sequences": len(tests.lengths),
        "steps": timing.steps,
        "trace": trace,
        "bit_exact": comparison.mismatches == 0,
        "values_compared": comparison.values,
        "mismatches": comparison.mismatches,
        "first_mismatch": comparison.first,
        "accuracy": _accuracies(provenance),
        "density": kept / weights,
        "entries_per_pe": _entries(accelerator, provenance),
        "cycles_per_step": cycles_per_step,
        "cycles_by_cause": account.by_cause,
        "bytes_by_cause": image.bytes_by_cause(),
        "frames_per_s": frames,
        "host_frames_per_s": timing.steps / timing.seconds,
        "effective_gops": 2 * kept * frames / 1e9,
        "dense_equivalent_gops": 2 * weights * frames / 1e9,
        "latency_ms": {f"p{p}": float(np.percentile(timing.latencies, p)) * 1e3 for p in (50, 99)},
        "seeds": provenance.get("seeds", []),
        "versions": _versions(manifest.tools, provenance),
        "command": command,
        "basis": {
            "bit_exact": here + ", against the golden model",
            "accuracy": f"stage 'engine' {here}; the others by training, provenance.json",
            "density": "counted in golden.npz",
            "entries_per_pe": "counted in image.bin",
            "cycles_per_step": f"simulated: {here}" if accelerator.emulated else here,
            "cycles_by_cause": f"modelled: ese_host.cycles, {tests.lengths[0]} steps; equal to the counter",
            "bytes_by_cause": "counted in image.bin",
            "frames_per_s": modelled if accelerator.emulated else here,
            "host_frames_per_s": here,
            "effective_gops": "frames_per_s x 2 x stored weights",
            "dense_equivalent_gops": "frames_per_s x 2 x all weights",
            "latency_ms": here + f", one sequence a packet, {len(timing.latencies)} packets",
        },
    }
    if tests.labels is not None:
        report["accuracy"]["engine"] = float((classes == tests.labels).mean())
    if tests.predictions is not None:
        report["agreement_with_keras"] = float((classes == tests.predictions.argmax(axis=1)).mean())
        report["basis"]["agreement_with_keras"] = here + ", against the predictions in testset.npz"
    return report


def _accuracies(provenance: dict[str, Any]) -> dict[str, float]:
    stages = provenance.get("accuracy", {})
    if not isinstance(stages, dict):
        return {}
    return {str(name): float(value) for name, value in stages.items() if isinstance(value, (int, float))}


def _entries(accelerator: Accelerator, provenance: dict[str, Any]) -> dict[str, Any]:
    """Entries of each PE, in all and phase by phase; and what provenance.json says of other masks."""
    counts = accelerator.image.counts
    phases = [
        {"phase": number, "entries": row.tolist(), "max_over_mean": float(row.max() / row.mean())}
        for number, row in enumerate(counts)
        if row.any()
    ]
    masks = provenance.get("entries_per_pe", {})
    others = (
        {name: value for name, value in masks.items() if isinstance(value, list)} if isinstance(masks, dict) else {}
    )
    return {"this design": counts.sum(axis=0).tolist(), "phases": phases, "masks": others}


def _weights(network: Network) -> tuple[int, int]:
    """All weights and the non-zero ones."""
    matrices: list[Matrix] = []
    for layer in network.layers:
        matrices.append(layer.kernel)
        if isinstance(layer, Lstm):
            matrices += [layer.recurrent] + ([] if layer.projection is None else [layer.projection])
    return sum(m.codes.size for m in matrices), sum(int(np.count_nonzero(m.levels)) for m in matrices)


def _versions(tools: dict[str, str], provenance: dict[str, Any]) -> dict[str, str]:
    found = {"python": platform.python_version(), "machine": platform.machine(), "numpy": np.__version__}
    for package in ("ese4ml", "pynq"):
        if package == "ese4ml" or package in sys.modules:
            found[package] = metadata.version(package)
    trained = provenance.get("versions", {})
    return {**(trained if isinstance(trained, dict) else {}), **tools, **found}
