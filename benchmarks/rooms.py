"""The rooms of the packages: how many files each holds, which imports which, and a picture of both.

    python -m benchmarks.rooms            # write docs/figures/rooms.svg
    python -m benchmarks.rooms --check    # what `make check` runs: exit code 1 where a rule is broken

The rules: a folder holds at most ten Python files beside its `__init__`, every room says in its `__init__` what it is
for, code outside a room imports from its face, and the picture is what the imports draw today. That no arrow runs back
up and that there are no circles is import-linter's work (`lint-imports`, the contracts of pyproject.toml), whose order
of rooms the picture follows.
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
PACKAGES = {"ese_models": "models", "ese_hls": "hls", "ese_host": "host"}
"""Packages from left to right, in the order of the data, and the folders that they lie in."""
FOLDERS = ("models", "hls", "host", "benchmarks", "support", "tests")
"""Folders whose sub-folders are rooms."""
COLUMN, ROW, WIDTH, HEIGHT = 4.2, 0.62, 2.7, 0.46
"""Places in the picture, in inches: from column to column, from row to row, and a box's size."""


@dataclass(frozen=True)
class Room:
    """A sub-package of one of the packages, or a module that stands in a package's own folder."""

    package: str
    name: str
    files: int

    @property
    def module(self) -> str:
        """Its dotted name."""
        return f"{self.package}.{self.name}"


def order(package: str) -> list[str]:
    """Names of a package's rooms, the one that imports all others first: the layers of its contract."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for contract in config["tool"]["importlinter"]["contracts"]:
        if contract.get("containers") == [package]:
            return [name.strip() for layer in contract["layers"] for name in layer.split("|")]
    raise click.ClickException(f"pyproject.toml has no import-linter contract with containers = [{package!r}]: add one")


def rooms() -> list[Room]:
    """All rooms, package by package, in the contracts' order."""
    found = []
    for package, folder in PACKAGES.items():
        for name in order(package):
            path = ROOT / folder / package / name
            count = sum(file.name != "__init__.py" for file in path.rglob("*.py")) if path.is_dir() else 1
            found.append(Room(package, name, count))
    return found


def arrows(known: list[Room]) -> Counter[tuple[Room, Room]]:
    """How many imports run from each room to each other one.

    Raises:
        click.ClickException: two rooms import each other, directly or through others.
    """
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
    """The arrows that do not follow from others: where one room imports another through a third, the third shows it."""
    targets: dict[Room, set[Room]] = {}
    for importer, imported in counted:
        targets.setdefault(importer, set()).add(imported)

    @cache
    def reached(room: Room) -> frozenset[Room]:
        own = targets.get(room, set())
        return frozenset(own).union(*(reached(other) for other in own))

    return Counter(
        {
            (importer, imported): count
            for (importer, imported), count in counted.items()
            if not any(imported in reached(other) for other in targets[importer] - {imported})
        }
    )


def draw(known: list[Room], counted: Counter[tuple[Room, Room]]) -> str:
    """The picture as SVG text, the same for the same imports."""
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
    """Folders that hold more files than they may."""
    for folder in (ROOT / name for name in FOLDERS):
        for path in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
            files = [file for file in path.glob("*.py") if file.name != "__init__.py"]
            if len(files) > MOST_FILES:
                yield f"{path.relative_to(ROOT)} holds {len(files)} Python files; {MOST_FILES} are allowed: make a room"


def silent() -> Iterator[str]:
    """Rooms that do not say what they are for."""
    for package, folder in PACKAGES.items():
        for file in (ROOT / folder / package).rglob("__init__.py"):
            if not ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))):
                yield f"{file.relative_to(ROOT)} has no docstring: say in a sentence what the room is for"


def past_the_face() -> Iterator[str]:
    """Imports by name from a module inside another room, which its face could give."""
    for package, folder in PACKAGES.items():
        for file in sorted((ROOT / folder / package).rglob("*.py")):
            here = file.relative_to(ROOT / folder).with_suffix("").parts[:2]
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                    parts = node.module.split(".")
                    inside = len(parts) > 2 and parts[0] in PACKAGES and tuple(parts[:2]) != here
                    if inside and not _is_room(parts) and node.module not in HEAVY:
                        yield f"{file.relative_to(ROOT)}:{node.lineno} imports from {node.module}: use the room's face"


def _is_room(parts: list[str]) -> bool:
    return (ROOT / PACKAGES[parts[0]] / Path(*parts)).is_dir()


HEAVY = (
    "ese_host.check.plots",
    "ese_host.device.emulated.pynq_device",
    "ese_host.device.remote",
    "ese_hls.graph.model_graph",
    "ese_hls.graph.nodes",
    "ese_hls.lower.convert",
)
"""Modules that import hls4ml, pynq or pygal, which no face may: whoever needs one names it."""


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 where a rule is broken.")
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
        broken.append(f"{PICTURE.relative_to(ROOT)} is not what the imports draw: python -m benchmarks.rooms")
    for sentence in broken:
        click.echo(sentence, err=True)
    if broken:
        raise SystemExit(1)
    click.echo(f"{len(known)} rooms, none with more than {MOST_FILES} files of its own")


if __name__ == "__main__":
    main()
