# SPDX-License-Identifier: Apache-2.0
"""benchmarks/rooms.py: each rule is noticed where it is broken, and the picture shows what the imports are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benchmarks import rooms
from benchmarks.rooms import Room


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small tree of three packages, sound to begin with."""
    monkeypatch.setattr(rooms, "ROOT", tmp_path)
    for package, folder in rooms.PACKAGES.items():
        room = tmp_path / folder / package / "room"
        room.mkdir(parents=True)
        for file in (room.parent / "__init__.py", room / "__init__.py"):
            file.write_text('"""What it is for."""\n')
        (room / "inside.py").write_text("NAME = 1\n")
    return tmp_path


def broken() -> list[str]:
    return [*rooms.crowded(), *rooms.silent(), *rooms.past_the_face()]


def test_a_sound_tree_breaks_no_rule(tree: Path) -> None:
    (tree / "hls" / "ese_hls" / "room" / "user.py").write_text("from ese_host.room import NAME\n")
    assert broken() == []


def test_an_eleventh_file_is_noticed(tree: Path) -> None:
    for number in range(10):
        (tree / "host" / "ese_host" / "room" / f"file{number}.py").touch()
    assert broken() == ["host/ese_host/room holds 11 Python files; 10 are allowed: move some into a sub-folder"]


def test_a_room_without_a_word_is_noticed(tree: Path) -> None:
    (tree / "models" / "ese_models" / "room" / "__init__.py").write_text("")
    (found,) = broken()
    assert found.startswith("models/ese_models/room/__init__.py has no docstring")


def test_an_import_past_the_face_is_noticed(tree: Path) -> None:
    (tree / "hls" / "ese_hls" / "room" / "user.py").write_text("def f():\n    from ese_host.room.inside import NAME\n")
    assert broken() == [
        "hls/ese_hls/room/user.py:2 imports from ese_host.room.inside; "
        "import from the room's face, ese_host.room, instead"
    ]


def test_arrows_that_follow_from_others_are_left_out() -> None:
    a, b, c = (Room("ese_host", name, 1) for name in "abc")
    every = Counter({(a, b): 3, (b, c): 2, (a, c): 1})
    assert rooms.essential(every) == Counter({(a, b): 3, (b, c): 2})


def test_the_picture_is_the_same_for_the_same_imports() -> None:
    a, b = Room("ese_host", "a", 2), Room("ese_hls", "b", 1)
    pictures = {rooms.draw([a, b], Counter({(b, a): 4})) for _ in range(2)}
    (picture,) = pictures
    assert "2 files" in picture and "1 file<" in picture
