# SPDX-License-Identifier: Apache-2.0
"""All rules by their names, and what they find in a source and in the engine's own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from ese_hls.emulate.gxx import INCLUDES
from support.compiled_engine import write_sources
from support.hls_rules import simple_rules
from support.hls_rules.breach import Breach
from support.hls_rules.loop_state import loop_state
from support.hls_rules.ram_ports import ram_ports
from support.hls_rules.source import Source, parse
from support.rtl import CASES

TOP = "csrc/tops/top.cpp"
SYNTHESIZED = ("csrc/engine", "csrc/tops")
"""Folders whose code Vitis HLS synthesizes."""
RULES: dict[str, Callable[[Source], Iterator[Breach]]] = {
    "labels": simple_rules.labels,
    "dependences": simple_rules.dependences,
    "unroll-factors": simple_rules.unroll_factors,
    "reference-members": simple_rules.reference_members,
    "static-objects": simple_rules.static_objects,
    "object-arrays": simple_rules.object_arrays,
    "partitioned-where-defined": simple_rules.partitioned_where_defined,
    "loop-state": loop_state,
    "ram-ports": ram_ports,
}


def check(source: Source) -> list[Breach]:
    """The breaches in a source, by file and line."""
    found = {breach for rule in RULES.values() for breach in rule(source)}
    return sorted(found, key=lambda breach: (breach.file, breach.line, breach.rule, breach.text))


def check_csrc() -> list[Breach]:
    """The breaches in csrc. Files are named by their paths from the folder that holds csrc."""
    with tempfile.TemporaryDirectory(prefix="ese-rules-") as name:
        folder = Path(name)
        write_sources(folder, CASES["skip"].make()[1])
        files = [file for part in SYNTHESIZED for file in sorted((folder / part).glob("*.*"))]
        found = check(parse(folder / TOP, files, [folder / path for path in INCLUDES]))
        return [replace(breach, file=breach.file.relative_to(folder)) for breach in found]
