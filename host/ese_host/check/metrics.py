# SPDX-License-Identifier: Apache-2.0
"""The figures of a check, each with its basis: measured, counted, simulated or modelled."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib import metadata
from typing import Any

import numpy as np

from ese_host.bundle import Provenance, TestSet, imbalance
from ese_host.check import estimates as estimated
from ese_host.check.basis import basis, modelled
from ese_host.check.compare import Comparison
from ese_host.estimate import cycles
from ese_host.runtime import Accelerator, ProgramResult

Report = dict[str, Any]


@dataclass
class Totals:
    """Sums over the results of several runs of a program, which take no memory for each sample.

    Attributes:
        samples: how many samples were run.
        steps: frames run, counted at the first input.
        engine_seconds: host time from packet to answer.
        load_seconds: host time for loading images.
        glue_seconds: host time of the operations between the chains.
        chains: {chain: its steps, and its cycles}.
        first: {chain: its steps for the first sample}.
    """

    samples: int = 0
    steps: int = 0
    engine_seconds: float = 0.0
    load_seconds: float = 0.0
    glue_seconds: float = 0.0
    chains: dict[str, tuple[int, int]] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)

    def add(self, result: ProgramResult) -> None:
        """Add the result of one run."""
        fed = result.run.tensors[result.run.program.inputs[0].name].steps
        self.samples += len(fed)
        self.steps += int(fed.sum())
        self.engine_seconds += result.engine_seconds
        self.load_seconds += result.load_seconds
        self.glue_seconds += result.glue_seconds
        for name, chain in result.chains.items():
            steps, cycles = self.chains.get(name, (0, 0))
            self.chains[name] = steps + int(chain.steps.sum()), cycles + chain.cycles
            self.first.setdefault(name, int(result.run.fed[name].steps[0]))

    @property
    def cycles(self) -> int:
        """The engine's loop iterations, summed over all chains."""
        return sum(cycles for _, cycles in self.chains.values())

    @property
    def seconds(self) -> float:
        """Host time from packet to answer; with several chains also image loads and host steps."""
        between = self.load_seconds + self.glue_seconds if len(self.chains) > 1 else 0.0
        return self.engine_seconds + between


@dataclass(frozen=True)
class SingleRun:
    """A sample that was run by itself.

    Attributes:
        seconds: host time from packet to answer; with several chains also image loads and host steps.
        host_seconds: processor time of the host's own work in the call, without its waits.
        cycles: the engine's loop iterations.
    """

    seconds: float
    host_seconds: float
    cycles: int


@dataclass(frozen=True, eq=False)
class Checked:
    """Results of running a test set.

    Attributes:
        comparison: comparison of the engine with the golden model.
        outputs: for each output, how well it agrees with labels, Keras and targets.
        trace: whether h and c of every step were compared too.
        plain: totals of all samples, run without trace.
        singles: samples that were run one by one.
        session: times of the packets of a session; None if values differ from the golden model's.
        phones: phone errors by way of decoding; empty without a decoder or labels of frames.
    """

    comparison: Comparison
    outputs: tuple[dict[str, Any], ...]
    trace: bool
    plain: Totals
    singles: list[SingleRun]
    session: dict[str, Any] | None = None
    phones: dict[str, Any] = field(default_factory=dict)


def report(accelerator: Accelerator, tests: TestSet, provenance: Provenance, checked: Checked, command: str) -> Report:
    """All figures of a check as plain values; the entry "basis" tells what each of them rests on.

    Args:
        accelerator: the accelerator that the test set ran on.
        tests: the test set.
        provenance: record of how the model was made.
        checked: results of running the test set.
        command: command line that the report names.
    """
    manifest, emulated = accelerator.folder.manifest, accelerator.emulated
    networks = [part.network for part in accelerator.parts]
    weights, kept = sum(net.weights for net in networks), sum(net.nonzero_weights for net in networks)
    plain = checked.plain
    cycles_per_step = plain.cycles / plain.steps
    host_frames = plain.steps / plain.seconds
    frames = manifest.clock_mhz * 1e6 / cycles_per_step if emulated else host_frames
    steps = int(tests.steps[0])
    figures: Report = {
        "report": 1,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        **_names(accelerator),
        "sequences": len(tests.steps),
        "steps": plain.steps,
        "trace": checked.trace,
        "timeout_s": accelerator.timeout,
        "bit_exact": checked.comparison.mismatches == 0,
        "values_compared": checked.comparison.values,
        "mismatches": checked.comparison.mismatches,
        "first_mismatch": checked.comparison.first,
        "accuracy": dict(provenance.accuracy),
        "density": kept / weights,
        "entries_per_pe": _entries(accelerator, provenance),
        "cycles_per_step": cycles_per_step,
        "chains": _chains(accelerator, plain),
        "host_seconds": {
            "engine": plain.engine_seconds,
            "image loads": plain.load_seconds,
            "steps between chains": plain.glue_seconds,
        },
        "cycles_by_cause": _causes(accelerator, plain),
        "bytes_by_cause": _added(part.image.bytes_by_cause() for part in accelerator.parts),
        "energy_by_cause": _added(
            estimated.energy_by_cause(part.image, manifest.design, part.network.weights) for part in accelerator.parts
        ),
        "step_timeline": _timelines(accelerator),
        "boards": estimated.boards(manifest.design, manifest.engine),
        "frames_per_s": frames,
        "host_frames_per_s": host_frames,
        "effective_gops": 2 * kept * frames / 1e9,
        "dense_equivalent_gops": 2 * weights * frames / 1e9,
        "latency_ms": {
            f"p{p}": float(np.percentile([item.seconds for item in checked.singles], p)) * 1e3 for p in (50, 99)
        },
        "host_us_per_call": 1e6 * float(np.median([item.host_seconds for item in checked.singles])),
        "engine_us_per_call": float(np.mean([item.cycles for item in checked.singles])) / manifest.clock_mhz,
        **({} if checked.session is None else {"session": checked.session}),
        "seeds": provenance.seeds,
        "versions": _versions(manifest.tools, provenance),
        "command": command,
    }
    first = checked.outputs[0]
    if "accuracy" in first:
        figures["accuracy"]["engine"] = first["accuracy"]
    if "agreement_with_keras" in first:
        figures["agreement_with_keras"] = first["agreement_with_keras"]
    figures["outputs"] = list(checked.outputs)
    if checked.phones:
        figures["phones"] = checked.phones
    figures["basis"] = {
        name: {"label": label, "text": text, "command": command}
        for name, (label, text) in basis(accelerator, steps).items()
        if name in figures
    }
    return figures


def _chains(accelerator: Accelerator, plain: Totals) -> list[dict[str, Any]]:
    """For each chain: its image, and the cycles of all samples."""
    rows = []
    for part in accelerator.parts:
        steps, cycles = plain.chains[part.chain]
        row = {"chain": part.chain, "image_id": f"{part.image.image_id:#010x}", "steps": steps}
        rows.append({**row, "cycles": cycles, "cycles_per_step": cycles / steps})
    return rows


def _timelines(accelerator: Accelerator) -> list[dict[str, Any]]:
    """For each chain: what each part of the engine does in a step, if the cycle model says so."""
    manifest = accelerator.folder.manifest
    if not modelled(accelerator):
        return []
    return [
        {
            "chain": part.chain,
            **estimated.step_timeline(part.image, manifest.design, part.network.layers, manifest.engine),
        }
        for part in accelerator.parts
    ]


def _added(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Sum {cause: amount} over several chains."""
    total: dict[str, Any] = {}
    for part in parts:
        for cause, amount in part.items():
            total[cause] = total.get(cause, 0) + amount
    return total


def _causes(accelerator: Accelerator, plain: Totals) -> dict[str, float]:
    """Cycles of the first sample by cause; in skip mode, where they depend on the data, the mean over all samples."""
    manifest = accelerator.folder.manifest
    if not modelled(accelerator):
        return {"all causes": plain.cycles / plain.samples}
    accounts = (
        cycles.account(part.image, manifest.design, plain.first[part.chain], engine=manifest.engine)
        for part in accelerator.parts
    )
    return _added(account.by_cause for account in accounts)


def _names(accelerator: Accelerator) -> dict[str, Any]:
    manifest = accelerator.folder.manifest
    return {
        "design": accelerator.folder.path.resolve().name,
        "kind": manifest.kind,
        "engine": manifest.engine,
        "driver": accelerator.driver,
        "board": manifest.board,
        "part": manifest.part,
        "clock_mhz": manifest.clock_mhz,
        "design_id": f"{manifest.design.design_id:#010x}",
        "image_id": f"{accelerator.parts[0].image.image_id:#010x}",
        "weights": manifest.design.weights,
        "pes": manifest.design.pes,
    }


def _entries(accelerator: Accelerator, provenance: Provenance) -> dict[str, Any]:
    """Entries of each PE, in total and by matrix, and those of other mask families from provenance.json."""
    several = len(accelerator.parts) > 1
    matrices = [
        {
            "matrix": f"{part.chain}: " * several + estimated.matrix_name(part.network.layers, phase),
            "entries": row.tolist(),
            "max_over_mean": imbalance(row.tolist()),
        }
        for part in accelerator.parts
        for phase, row in zip(part.image.phases, part.image.counts, strict=True)
        if row.any()
    ]
    total = sum(part.image.counts.sum(axis=0) for part in accelerator.parts).tolist()
    masks = {
        name: {"entries": work.entries, "iterations": work.iterations, "worst_max_over_mean": work.worst}
        for name, work in provenance.masks.items()
    }
    iterations = sum(max(matrix["entries"]) for matrix in matrices)
    worst = max((matrix["max_over_mean"] for matrix in matrices), default=1.0)
    return {
        "total": total,
        "iterations": iterations,
        "worst_max_over_mean": worst,
        "matrices": matrices,
        "masks": masks,
    }


def _versions(tools: dict[str, str], provenance: Provenance) -> dict[str, str]:
    versions = {"python": platform.python_version(), "machine": platform.machine(), "numpy": np.__version__}
    for package in ("ese4ml", "pynq"):
        if package == "ese4ml" or package in sys.modules:
            versions[package] = metadata.version(package)
    return {**provenance.versions, **tools, **versions}
