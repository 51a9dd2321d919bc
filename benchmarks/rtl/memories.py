# SPDX-License-Identifier: Apache-2.0
"""Shapes of the memories that the estimate counts, in block RAM and LUTRAM; Yosys counts them too, for comparison."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.cached_results import CachedResults, digest_of_file
from benchmarks.rtl import yosys
from ese_hls.encode import fit_design
from ese_host.estimate import Memory, memories_of
from ese_host.image import Design
from ese_rtl.count import LUTRAM
from support.ese_layer import ese_layer

SOURCE = Path(__file__).with_name("ram.v")
DUAL = ("entries", "vector RAM A", "column pointers", "tanh table")
"""Memories that are read through both ports, or written through one port and read through the other."""
KINDS = ("ternary", "int4")
PES = 64


def designs() -> Iterator[Design]:
    """Designs of ESE's layer at 64 PEs and two cells per cycle, one for each kind of weights."""
    for kind in KINDS:
        network = ese_layer(PES, weights=kind)  # type: ignore[arg-type]
        yield fit_design.choose_design(network, pes=PES, cells_per_cycle=2, gap_bits=5)


def shapes() -> list[Memory]:
    """Memories of these designs, one of each shape."""
    by_shape = {(m.kind, m.depth, m.bits): m for design in designs() for m in reversed(memories_of(design))}
    return sorted(by_shape.values(), key=lambda memory: (memory.kind, memory.cause, memory.depth))


def name(memory: Memory) -> str:
    """Name of a memory's shape in the record."""
    return f"{memory.kind} {memory.cause} {memory.depth}x{memory.bits}"


def count(record: CachedResults) -> None:
    """Count each shape that has no current result by Yosys, and put its count into the record."""
    digest = digest_of_file(SOURCE)
    for memory in shapes():
        if not record.current(name(memory), digest):
            record.put(name(memory), digest, {"found": synthesize(memory)})


def synthesize(memory: Memory) -> int:
    """Number of RAMB18s, or of LUTs, that Yosys uses for one memory."""
    top = "spread" if memory.kind == "lutram" else "dual" if memory.cause in DUAL else "simple"
    values = {"DEPTH": memory.depth, "BITS": memory.bits, "A": max(1, (memory.depth - 1).bit_length())}
    settings = "".join(f"chparam -set {name} {value} {top}; " for name, value in values.items())
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(SOURCE, folder)
        cells = yosys.count(Path(folder), SOURCE.name, top, settings)
    if memory.kind == "bram":
        return cells.get("RAMB18E1", 0) + 2 * cells.get("RAMB36E1", 0)
    return sum(luts * cells.get(primitive, 0) for primitive, luts in LUTRAM.items())


def rows(record: CachedResults) -> Iterator[dict[str, Any]]:
    """For each shape in the record: the memory, the estimate's count, and Yosys's."""
    for memory in (shape for shape in shapes() if name(shape) in record.results):
        one = Memory(memory.cause, 1, memory.depth, memory.bits, memory.kind)
        estimated = one.ramb18 if memory.kind == "bram" else one.luts("zynq-7000")
        yield {"memory": memory, "estimated": estimated, "found": record.results[name(memory)]["found"]}
