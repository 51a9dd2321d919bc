# SPDX-License-Identifier: Apache-2.0
"""golden-model.md names every class and field of golden.npz, and whether a field may be null or absent."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from ese_host.ir import Network
from ese_host.ir.program import Program, ProgramStep

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "golden-model.md"


def classes(hint: Any, found: dict[str, type]) -> dict[str, type]:
    """All dataclasses that an annotation reaches, by name."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if hint.__name__ not in found:
            found[hint.__name__] = hint
            for item in get_type_hints(hint).values():
                classes(item, found)
    else:
        for item in get_args(hint):
            classes(item, found)
    return found


KNOWN = classes(Network, classes(Program, {}))
STEPS = {step.__name__ for step in get_args(ProgramStep)}
COMMON = ("target", "source", "sources")
"""Fields of the steps that the page says once for all of them, but where a step has a row of its own."""


def rows() -> dict[str, dict[str, str]]:
    """The page's tables: {class: {field: what it holds}}."""
    tables: dict[str, dict[str, str]] = {}
    common: dict[str, str] = {}
    name = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if found := re.fullmatch(r"\| (?:`(\w+)` )?\| `(\w+)` \| (.*) \|", line):
            name = found[1] or name
            tables.setdefault(name, {})[found[2]] = found[3]
        elif found := re.fullmatch(r"\| (`\w+`(?:, `\w+`)*) \| \| none \|", line):
            tables.update({step: {} for step in re.findall(r"\w+", found[1])})
        elif (found := re.fullmatch(r"\| `(\w+)` \| (.*) \|", line)) and found[1] in COMMON:
            common[found[1]] = found[2]
    several = set(re.findall(r"`([A-Z]\w+)`", common["sources"]))
    for step in STEPS & set(tables):
        read = "sources" if step in several else "source"
        tables[step] = {"target": common["target"], read: common[read]} | tables[step]
    return tables


def test_the_page_has_every_class() -> None:
    assert set(rows()) == set(KNOWN)


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_the_page_has_every_field(name: str) -> None:
    hints, written = get_type_hints(KNOWN[name]), rows()[name]
    declared = {item.name: item for item in dataclasses.fields(KNOWN[name])}
    assert set(written) == set(declared)
    for field, text in written.items():
        optional = type(None) in get_args(hints[field])
        assert ("or none" in text) == optional, field
        assert ("may lack" in text) == (optional and declared[field].default is not dataclasses.MISSING), field
        kinds = [kind.__name__ for kind in classes(hints[field], {}).values() if f"`{kind.__name__}`" in text]
        direct = [item for item in (hints[field], *get_args(hints[field])) if dataclasses.is_dataclass(item)]
        assert len(kinds) >= len(direct) if len(direct) < 3 else kinds == ["Chain"], field
        for literal in [item for item in (hints[field], *get_args(hints[field])) if isinstance(item, str)]:
            assert f"`{literal}`" in text, field
