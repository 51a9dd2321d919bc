# SPDX-License-Identifier: Apache-2.0
"""An estimate: time, memory, resources and energy of a network on a design and a board, as plain values for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from ese_host.boards import Board
from ese_host.estimate.cycles import Engine
from ese_host.estimate.energy import TABLE, energy_of
from ese_host.estimate.resources import basis, bits_by_cause, luts_upper, over, percentages, use
from ese_host.estimate.source import Encoded
from ese_host.estimate.timing import TimedNetwork, of_image
from ese_host.image import Design, LayerSize, idle_pes

Estimate = dict[str, Any]


@dataclass(frozen=True)
class Subject:
    """The network of an estimate.

    Attributes:
        name: description of the network in words.
        dense_weights: weights of all matrices before pruning.
        assumed: sentences that tell what the figures rest on.
        step_weights: those of them in the matrices that run in every step; None for all. The others run at the end of
            a sequence only.
    """

    name: str
    dense_weights: int
    assumed: tuple[str, ...] = ()
    step_weights: int | None = None


def estimate(
    subject: Subject, timed: TimedNetwork, design: Design, board: Board, steps: int = 1, engine: Engine = "hls"
) -> Estimate:
    """Estimate time, resources and energy.

    Args:
        subject: the network in words.
        timed: the network's timing on the design.
        design: the design.
        board: the board that the design is for.
        steps: frames of the sequence whose cycles are given besides those of a step in the steady state.
        engine: the engine in HLS (csrc) or in RTL; `timed` must be of the same.
    """
    step = timed.step()
    clock = design.clock_mhz
    frames = clock * 1e6 / step.cycles
    sequence = timed.sequence(steps)
    resources = use(design, board, engine)
    lacking, found = over(resources), basis(design, engine)
    upper = luts_upper(resources, design, engine)
    luts = resources["luts"]
    unsettled = (
        [
            f"LUT is NOT settled: {luts.used:,.0f} as modelled fit, but the upper count of {upper:,.0f} exceeds the "
            f"board's {luts.budget:,}"
        ]
        if luts.fits and upper > luts.budget
        else []
    )
    in_step = subject.dense_weights if subject.step_weights is None else subject.step_weights
    energy = energy_of(step, in_step, design)
    if clock > board.max_clock_mhz:
        lacking.append(f"clock: {clock} MHz wanted, {board.name} is built for {board.max_clock_mhz} at most")
    return {
        "estimate": 1,
        "subject": subject.name,
        "engine": engine,
        "board": board.name,
        "part": board.part,
        "clock_mhz": clock,
        "weights": design.weights,
        "pes": design.pes,
        "cells_per_cycle": design.cells_per_cycle,
        "gap_bits": design.gap_bits,
        "design": design.to_json(),
        "cycles_per_step": step.cycles,
        "cycles_by_cause": step.by_cause,
        "utilisation": step.weights / (design.pes * step.cycles),
        "matvec_utilisation": step.weights / (design.pes * step.matvec) if step.matvec else 0.0,
        "latency_us": step.cycles / clock,
        "streams": 1,
        "frames_per_s": frames,
        "sequence": {"steps": steps, "cycles": sequence.total, "latency_us": sequence.total / clock},
        "nonzero_weights": step.weights,
        "padding_entries": step.entries - step.weights,
        "kept_weights": sum(timed.weights),
        "dense_weights": subject.dense_weights,
        "density": sum(timed.weights) / subject.dense_weights,
        "effective_gops": 2 * step.weights * frames / 1e9,
        "dense_equivalent_gops": 2 * in_step * frames / 1e9,
        "bram36": ceil(2 * resources["bram36"].used) / 2,
        "fits": not lacking,
        "over": lacking,
        "resources": {
            name: {"used": resource.used, "budget": resource.budget, "parts": resource.parts, "basis": found[name]}
            for name, resource in resources.items()
        },
        "percent": percentages(resources),
        "memory_bits": bits_by_cause(design, engine),
        "energy_pj": {
            "parts": energy.parts,
            "total": energy.total,
            "same_weights_from_dram": energy.dram,
            "dense_float32_from_dram": energy.dense_dram,
            "table": TABLE,
        },
        "luts_upper": round(upper),
        "assumed": [*subject.assumed, *unsettled],
        "basis": {**_basis(timed, engine), **found},
    }


def _basis(timed: TimedNetwork, engine: Engine) -> dict[str, str]:
    counts = "entries of each PE exact" if timed.exact else "entries of each PE modelled from random weights"
    if engine == "rtl":
        cycles = f"modelled: the engine's schedule, clock by clock, in the steady state; {counts}"
        latency = "modelled: cycles over the clock, one stream"
    else:
        cycles = f"modelled: the engine's schedule, iteration by iteration, in the steady state; {counts}"
        latency = "modelled: cycles over the clock, one stream; without the pipeline's depth, once per sequence"
    return {
        "cycles_per_step": cycles,
        "latency_us": latency,
        "utilisation": "non-zero weights over PEs times cycles; matvec: without element-wise, input and output waits",
        "energy_pj": "modelled: 45 nm table of Song Han's talk, an access of b bits as b / 32 of a 32-bit one",
    }


def estimate_encoded(
    encoded: Encoded, design: Design, board: Board, steps: int = 1, engine: Engine = "hls", name: str | None = None
) -> Estimate:
    """Estimate time, resources and energy of a network that is encoded for a design.

    Args:
        encoded: the network.
        design: its design, perhaps with another clock.
        board: as in `estimate`.
        steps: as in `estimate`.
        engine: as in `estimate`.
        name: of the network; by default that of the folder that it was read from.
    """
    assumed = ("entries of each PE: as encoded", *assumptions(encoded.layers, design, engine))
    named = f"{name or encoded.name}, image {encoded.image.image_id:#010x}"
    subject = Subject(named, encoded.weights, assumed, encoded.step_weights)
    return estimate(subject, of_image(encoded.image, encoded.design, engine), design, board, steps, engine)


def assumptions(layers: Mapping[str, LayerSize], design: Design, engine: Engine) -> list[str]:
    """Sentences on what the figures of logic rest on, and on PEs that hold no weight of the largest layer, if any.

    Args:
        layers: sizes of the network's layers by their names.
        design: the design.
        engine: the engine in HLS (csrc) or in RTL.
    """
    modelled = "logic is modelled: no vendor synthesis behind it"
    if design.cells != "lstm":
        modelled += "; that of a unit with GRU cells is taken to be an LSTM's, and was not counted"
    logic = modelled if engine == "hls" else f"resources of the engine in RTL: {basis(design, 'rtl')['luts']}"
    _, idle = idle_pes(layers, design.pes)
    return [logic, idle] if idle else [logic]
