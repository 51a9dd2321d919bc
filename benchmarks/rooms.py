# SPDX-License-Identifier: Apache-2.0
"""The rooms (sub-packages) of the packages: the number of their files, their imports, and a picture of both.

    python -m benchmarks.rooms            # write docs/figures/rooms.svg
    python -m benchmarks.rooms --check    # as `make check` runs it: exit code 1 if a rule is broken

These are the rules: a folder holds at most ten Python files besides its `__init__`; the `__init__` of every room says
what the room is for; code outside a room imports from its face, which is its `__init__`; and the picture shows the
present imports. import-linter (`lint-imports`, with the contracts of pyproject.toml) checks that no import runs upwards
and that there are no cycles. The picture has the rooms in the order of these contracts.
"""

from __future__ import annotations

import ast
import io
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import click
import grimp
import matplotlib
import tomllib
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "figures" / "rooms.svg"
MOST_FILES = 10
PACKAGES = {"ese_models": "models", "ese_hls": "hls", "ese_rtl": "hls", "ese_host": "host"}
"""Packages from left to right, in the order of the data flow, and the folders that hold them."""
FOLDERS = ("models", "hls", "host", "benchmarks", "support", "tests")
"""Folders whose sub-folders are rooms."""
COLUMN, ROW, WIDTH, HEIGHT = 4.2, 0.62, 2.7, 0.46
"""Measures of the picture in inches: distance of columns, distance of rows, width and height of a box."""


@dataclass(frozen=True)
class Room:
    """A sub-package of a package, or a module directly in the package's folder.

    Attributes:
        package: name of the package.
        name: name of the sub-package or module.
        files: number of its Python files, without `__init__`.
    """

    package: str
    name: str
    files: int

    @property
    def module(self) -> str:
        """Dotted name of the sub-package or module."""
        return f"{self.package}.{self.name}"


def order(package: str) -> list[str]:
    """Names of a package's rooms in the order of its import-linter contract; each may import those that follow.

    Raises:
        click.ClickException: if pyproject.toml has no contract for the package.
    """
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for contract in config["tool"]["importlinter"]["contracts"]:
        if contract.get("containers") == [package]:
            return [name.strip(" ()") for layer in contract["layers"] for name in layer.split("|")]
    raise click.ClickException(f"pyproject.toml has no import-linter contract with containers = [{package!r}]: add one")


def rooms() -> list[Room]:
    """All rooms, package by package, in the order of the contracts."""
    listed = []
    for package, folder in PACKAGES.items():
        for name in order(package):
            path = ROOT / folder / package / name
            if not path.is_dir() and not path.with_suffix(".py").is_file():
                continue  # a contract may name rooms that are still to come, in parentheses
            count = sum(file.name != "__init__.py" for file in path.rglob("*.py")) if path.is_dir() else 1
            listed.append(Room(package, name, count))
    return listed


def arrows(known: list[Room]) -> Counter[tuple[Room, Room]]:
    """Number of imports from each room to each other room."""
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=True, cache_dir=None)
    owner = {room.module: room for room in known}
    counted: Counter[tuple[Room, Room]] = Counter()
    for importer in graph.modules:
        for imported in graph.find_modules_directly_imported_by(importer):
            ends = [owner.get(".".join(name.split(".")[:2])) for name in (importer, imported)]
            if ends[0] is not None and ends[1] is not None and ends[0] != ends[1]:
                counted[ends[0], ends[1]] += 1
    return counted


def essential(counted: Counter[tuple[Room, Room]]) -> Counter[tuple[Room, Room]]:
    """The arrows that do not follow from others: an arrow is dropped if a chain of other arrows connects its ends."""
    targets: dict[Room, set[Room]] = {}
    for importer, imported in counted:
        targets.setdefault(importer, set()).add(imported)

    @cache
    def reached(room: Room) -> frozenset[Room]:
        direct = targets.get(room, set())
        return frozenset(direct).union(*(reached(other) for other in direct))

    return Counter(
        {
            (importer, imported): count
            for (importer, imported), count in counted.items()
            if not any(imported in reached(other) for other in targets[importer] - {imported})
        }
    )


def draw(known: list[Room], counted: Counter[tuple[Room, Room]]) -> str:
    """The picture as SVG text; the same imports always give the same text."""
    columns = list(PACKAGES)
    rows = Counter(room.package for room in known)
    deepest = max(rows.values())
    places: dict[Room, tuple[float, float]] = {}
    seen: Counter[str] = Counter()
    for room in known:
        places[room] = COLUMN * columns.index(room.package), -ROW * seen[room.package]
        seen[room.package] += 1
    figure = Figure(figsize=(COLUMN * len(columns), ROW * (deepest + 1)))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(-0.9, COLUMN * len(columns) - 0.6)
    axes.set_ylim(-ROW * deepest, ROW)
    axes.axis("off")
    for (importer, imported), count in sorted(counted.items(), key=lambda item: (item[0][0].module, item[0][1].module)):
        (x, y), (u, v) = places[importer], places[imported]
        same = importer.package == imported.package
        start, end = ((x, y), (u, v)) if same else ((x + WIDTH, y), (u, v))
        bend = min(0.5, 0.12 * abs(y - v) / ROW) if same else 0.0
        style = {
            "arrowstyle": "-|>",
            "linewidth": 0.4 + 0.12 * min(count, 12),
            "color": "#8a8f98" if same else "#3d6fb4",
        }
        axes.annotate("", end, start, arrowprops={**style, "connectionstyle": f"arc3,rad={bend}", "alpha": 0.7})
    for package in columns:
        x = COLUMN * columns.index(package)
        axes.text(x + WIDTH / 2, 0.62 * ROW, package, ha="center", va="center", fontsize=12, fontweight="bold")
    for room, (x, y) in places.items():
        box: dict[str, Any] = {
            "boxstyle": "round,pad=0.02",
            "facecolor": "#f4f6f9",
            "edgecolor": "#5a6270",
            "linewidth": 0.8,
        }
        patch = matplotlib.patches.FancyBboxPatch((x, y - HEIGHT / 2), WIDTH, HEIGHT, **box)
        axes.add_patch(patch)
        files = f"{room.files} file{'s' * (room.files != 1)}"
        axes.text(x + 0.12, y, room.name, ha="left", va="center", fontsize=10)
        axes.text(x + WIDTH - 0.12, y, files, ha="right", va="center", fontsize=8, color="#5a6270")
    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "ese4ml", "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def crowded() -> Iterator[str]:
    """A sentence for each folder that holds more files than allowed."""
    for folder in (ROOT / name for name in FOLDERS):
        for path in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
            files = [file for file in path.glob("*.py") if file.name != "__init__.py"]
            if len(files) > MOST_FILES:
                name = path.relative_to(ROOT)
                yield f"{name} holds {len(files)} Python files; {MOST_FILES} are allowed: move some into a sub-folder"


def silent() -> Iterator[str]:
    """A sentence for each room whose `__init__` has no docstring."""
    for package, folder in PACKAGES.items():
        for file in (ROOT / folder / package).rglob("__init__.py"):
            if not ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))):
                yield f"{file.relative_to(ROOT)} has no docstring; add a sentence that says what the room is for"


def past_the_face() -> Iterator[str]:
    """A sentence for each import from a module inside another room, rather than from the room's face."""
    for package, folder in PACKAGES.items():
        for file in sorted((ROOT / folder / package).rglob("*.py")):
            here = file.relative_to(ROOT / folder).with_suffix("").parts[:2]
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                    parts = node.module.split(".")
                    inside = len(parts) > 2 and parts[0] in PACKAGES and tuple(parts[:2]) != here
                    if inside and not _is_room(parts) and node.module not in HEAVY:
                        place, face = f"{file.relative_to(ROOT)}:{node.lineno}", ".".join(parts[:2])
                        yield f"{place} imports from {node.module}; import from the room's face, {face}, instead"


def _is_room(parts: list[str]) -> bool:
    return (ROOT / PACKAGES[parts[0]] / Path(*parts)).is_dir()


HEAVY = (
    "ese_host.check.plots",
    "ese_host.device.emulated.pynq_device",
    "ese_host.device.remote",
    "ese_hls.graph.model_graph",
    "ese_hls.graph.nodes",
    "ese_hls.lower.graph_to_program",
)
"""Modules that import hls4ml, pynq or pygal. A face may not import these, so they are imported by their full names."""


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit with code 1 if a rule is broken.")
def main(check: bool) -> None:
    """Draw docs/figures/rooms.svg, or check the rules of the rooms."""
    sys.path[:0] = [str(ROOT / folder) for folder in PACKAGES.values()]
    known = rooms()
    picture = draw(known, essential(arrows(known)))
    if not check:
        PICTURE.write_text(picture, encoding="utf-8")
        click.echo(f"{PICTURE.relative_to(ROOT)}: {len(known)} rooms")
        return
    broken = [*crowded(), *silent(), *past_the_face()]
    if not PICTURE.is_file() or PICTURE.read_text(encoding="utf-8") != picture:
        broken.append(
            f"{PICTURE.relative_to(ROOT)} does not show the present imports; draw it again: python -m benchmarks.rooms"
        )
    for sentence in broken:
        click.echo(sentence, err=True)
    if broken:
        raise SystemExit(1)
    click.echo(f"{len(known)} rooms, none with more than {MOST_FILES} files of its own")


if __name__ == "__main__":
    main()
