# SPDX-License-Identifier: Apache-2.0
"""Atomic writing: files and folders appear complete or not at all, and a failed write leaves nothing behind."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ese_host.errors import MismatchError
from ese_host.files import atomic
from ese_host.files.hashing import digest, digest_of, digests


def names(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


def test_replace_leaves_nothing_behind_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.json"
    atomic.write_file(path, b"old")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        atomic.write_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["report.json"]


def test_text_is_written_as_utf_8_and_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "page.md"
    atomic.write_file(path, "± 1\n")
    assert path.read_bytes() == "± 1\n".encode()
    assert [item.name for item in path.parent.iterdir()] == ["page.md"]


def test_files_have_the_mode_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    atomic.write_file(tmp_path / "written", b"")
    assert (tmp_path / "written").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_function_writes_under_the_same_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    seen = []

    def write(part: Path) -> None:
        seen.append(part)
        part.write_bytes(b"new")

    for path in (tmp_path / "x.npz", Path("y.npz")):
        path.write_bytes(b"old")
        atomic.write_by(path, write)
        assert path.read_bytes() == b"new" and seen[-1].name == path.name and not seen[-1].parent.exists()
    assert names(tmp_path) == ["x.npz", "y.npz"]


def fails(part: Path) -> None:
    part.write_bytes(b"half")
    raise KeyboardInterrupt


def test_a_function_that_fails_or_writes_nothing_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(b"old")
    cases: list[tuple[Callable[[Path], object], type[BaseException]]] = [
        (fails, KeyboardInterrupt),
        (lambda _: None, FileNotFoundError),
    ]
    for write, error in cases:
        with pytest.raises(error):
            atomic.write_by(path, write)
        assert path.read_bytes() == b"old" and names(tmp_path) == ["x.npz"]


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "design"
    with pytest.raises(KeyError), atomic.whole_folder(target, "marker") as fresh:
        (fresh / "marker").write_text("half")
        raise KeyError
    assert names(tmp_path) == []
    for text in ("first", "second"):
        with atomic.whole_folder(target, "marker") as fresh:
            (fresh / "marker").write_text(text)
        assert (target / "marker").read_text() == text and names(tmp_path) == ["design"]
    (target / "marker").unlink()
    (target / "thesis.tex").write_text("mine")
    with pytest.raises(MismatchError, match="design exists and holds no marker; it is not replaced"):
        atomic.check_target(target, "marker")


def test_digests(tmp_path: Path) -> None:
    data = bytes(range(256)) * 5000
    (tmp_path / "x").write_bytes(data)
    assert digest(tmp_path / "x") == digest_of(data)
    assert digests(tmp_path, ["x"]) == {"x": digest_of(data)}
    assert digest_of(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_files_that_belong_together_are_all_replaced_or_none(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.json", "b.npz")]
    for path in paths:
        path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        atomic.write_together({paths[0]: lambda part: part.write_bytes(b"new"), paths[1]: fails})
    assert [path.read_bytes() for path in paths] == [b"old", b"old"] and names(tmp_path) == ["a.json", "b.npz"]
    atomic.write_together({path: lambda part: part.write_bytes(b"new") for path in paths})
    assert [path.read_bytes() for path in paths] == [b"new", b"new"] and names(tmp_path) == ["a.json", "b.npz"]


def test_an_old_folder_stays_if_the_new_one_cannot_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "design"
    target.mkdir()
    (target / "marker").write_text("old")
    rename = Path.rename

    def full(self: Path, to: Path) -> Path:
        if self.name == "new":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(to))
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OSError, match="No space left"), atomic.whole_folder(target, "marker") as fresh:
        (fresh / "marker").write_text("new")
    assert (target / "marker").read_text() == "old" and names(tmp_path) == ["design"]


@pytest.mark.parametrize(
    "text",
    [
        "error writing to /tmp/x.s: No space left on device",
        "write: Disk quota exceeded",
        "OSError(27, 'File too large')",
        "ld terminated with signal 25 [File size limit exceeded]",
    ],
)
def test_tools_say_that_the_disk_is_full(text: str) -> None:
    assert atomic.says_full(text) and not atomic.says_full("undefined reference to `main'")
