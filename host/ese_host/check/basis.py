# SPDX-License-Identifier: Apache-2.0
"""The basis of each figure of a report: whether it is measured, simulated, modelled or counted, and how."""

from __future__ import annotations

from ese_host.check import estimates as estimated
from ese_host.estimate import cycles
from ese_host.runtime import Accelerator

MARKS = {
    "measured": "found by running the design, or read from a clock or a sensor",
    "simulated": "counted by an engine that runs on this machine instead of on an FPGA",
    "modelled": "computed by a model of the engine; no FPGA and no vendor's tool stand behind it",
    "counted": "read off the design's files",
}
"""The labels of figures, and what each of them means."""


def basis(accelerator: Accelerator, steps: int) -> dict[str, tuple[str, str]]:
    """For each figure of a report: whether it is measured, simulated, modelled or counted, and how.

    Args:
        accelerator: the accelerator that the test set ran on.
        steps: frames of the first sample.
    """
    manifest, emulated = accelerator.folder.manifest, accelerator.emulated
    clock_mhz, rtl = manifest.clock_mhz, manifest.engine == "rtl"
    simulated = "the simulated engine (RTL, every clock)" if rtl else "the emulated engine (compiled C++)"
    engine = simulated if emulated else "the board"
    several = len(accelerator.parts) > 1
    counter = (
        ("simulated", f"cycle counter of {engine}") if emulated else ("measured", "the engine's own cycle counter")
    )
    images = "all images" if several else "image.bin"
    clock = "host's clock, image loads and the host's steps included" if several else "host's clock, packet to answer"
    left_out = ", image loads and the host's steps not counted" if several else ""
    counted = ("simulated", "clocks of the RTL") if rtl else ("modelled", "engine iterations")
    computed = (counted[0], f"{counted[1]} at {clock_mhz:g} MHz{left_out}")
    frames = computed if emulated else ("measured", "host's clock")
    return {
        "bit_exact": ("measured", f"every value of {engine} against the golden model"),
        "accuracy": ("measured", f"stage 'engine' on {engine}; the others in training, from provenance.json"),
        "agreement_with_keras": ("measured", f"classes of {engine} against the predictions in testset.npz"),
        "outputs": (
            "measured",
            f"values of {engine} against labels, predictions and targets in testset.npz; 95% intervals by Wilson",
        ),
        "phones": (
            "measured",
            f"phones decoded from the outputs of {engine} against the labels in testset.npz; a standard error is "
            "that of a ratio of sums over utterances",
        ),
        "density": ("counted", "non-zero weights in golden.npz"),
        "entries_per_pe": (
            "counted",
            f"entries in {images}, padding and waits included; other masks from provenance.json",
        ),
        "cycles_per_step": (counter[0], f"{counter[1]}, all chains, per step of the first input")
        if several
        else counter,
        "chains": counter,
        "host_seconds": ("measured", f"{engine}, host's clock, all samples without trace"),
        "cycles_by_cause": ("modelled", f"one sequence of {steps} steps; the sum equals the engine's counter")
        if modelled(accelerator)
        else (counter[0], "mean of all sequences; there is no model of the causes in skip mode"),
        "bytes_by_cause": ("counted", f"sections of {images}"),
        "step_timeline": (
            "modelled",
            f"step {cycles.STEADY} of a sequence, in the steady state, by the model that equals the engine's counter; "
            "matrices that run only in a sequence's last step are not in it",
        ),
        "energy_by_cause": estimated.ENERGY_BASIS,
        "boards": estimated.boards_basis(manifest.design, manifest.engine),
        "frames_per_s": frames,
        "host_frames_per_s": ("measured", f"{engine}, {clock}"),
        "effective_gops": (frames[0], "2 operations per non-zero weight and frame"),
        "dense_equivalent_gops": (frames[0], "2 operations per weight and frame"),
        "latency_ms": ("measured", f"{engine}, {clock}, one sequence per packet"),
        "host_us_per_call": (
            "measured",
            "processor time of this host for a call of one sequence, apart from its waits; median",
        ),
        "engine_us_per_call": (
            counted[0] if emulated else "measured",
            f"cycle counter of {engine} at {clock_mhz:g} MHz, mean{left_out}",
        ),
        "session": (
            "modelled",
            f"host's share measured on this host, median; engine's: {counter[1]} at {clock_mhz:g} MHz",
        ),
    }


def modelled(accelerator: Accelerator) -> bool:
    """Whether the cycle model says how many cycles each cause takes."""
    return accelerator.folder.manifest.design.mode == "stream"
