# SPDX-License-Identifier: Apache-2.0
"""The .ts reader, padding, and fetching without a network."""

import hashlib
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ese_host.errors import FormatError, MissingError, StorageError
from ese_models.data import cache, japanese_vowels, read_ts
from ese_models.data.cache import Wheel, WheelFile, fetch

PlacedWheel = tuple[Wheel, WheelFile, Path]

HEADER = "# a comment\n@problemName Tiny\n@timeStamps false\n@dimensions 2\n@classLabel true x y\n@data\n"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "tiny.ts"
    path.write_text(text)
    return path


def test_reader_gives_steps_by_dimensions(tmp_path: Path) -> None:
    series = read_ts(written(tmp_path, HEADER + "1,2,3:4,5,6:y\n-1.5:2e-1:x\n"))
    assert series.classes == ("x", "y") and series.labels.tolist() == [1, 0]
    assert series.values[0].tolist() == [[1, 4], [2, 5], [3, 6]]
    assert series.values[1].tolist() == [[-1.5, 0.2]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + "1,2:3:x\n", r"tiny.ts line 7: dimensions have lengths \[2, 1\]"),
        (HEADER + "1,2:x\n", "line 7: the series has 1 dimensions; the header says 2"),
        (HEADER + "1:2:z\n", "line 7: class 'z'; the header allows x, y"),
        (HEADER + "1:?:x\n", "line 7: could not convert"),
        (HEADER + "1:nan:x\n", "line 7: a value is missing or not finite"),
        (HEADER, "no series after @data"),
        ("1:2:x\n", "line 1: '1:2:x' is before @data, but is no @key line"),
        (HEADER.replace("true x y", "false") + "1:2\n", "no '@classLabel true'"),
        (HEADER.replace("Stamps false", "Stamps true") + "1:2:x\n", "has time stamps"),
    ],
)
def test_reader_refuses_what_is_no_ts_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read_ts(written(tmp_path, text))


def test_padding_stands_in_front(tmp_path: Path) -> None:
    split = japanese_vowels.pad(read_ts(written(tmp_path, HEADER + "1,2,3:4,5,6:y\n")), steps=5)
    assert split.inputs.shape == (1, 5, 2) and split.inputs.dtype == np.float32
    assert split.inputs[0, :, 0].tolist() == [0, 0, 1, 2, 3] and split.lengths.tolist() == [3]
    with pytest.raises(FormatError, match="the longest series has 3 frames; 1 to 2 are allowed"):
        japanese_vowels.pad(read_ts(tmp_path / "tiny.ts"), steps=2)


@pytest.fixture
def wheel(tmp_path: Path) -> PlacedWheel:
    source = tmp_path / "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("tiny/data.ts", HEADER + "1:2:x\n")
    member = WheelFile("tiny/data.ts", hashlib.sha256((HEADER + "1:2:x\n").encode()).hexdigest())
    return Wheel("tiny==1", source.name, hashlib.sha256(source.read_bytes()).hexdigest()), member, source


def no_network(*args: str, **kwargs: object) -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess(args, 1, "", "ERROR: No matching distribution found for tiny==1\n")


@pytest.mark.parametrize(
    "line", ["OSError(27, 'File too large')", "dpkg-deb: error: failed to write (No space left on device)"]
)
def test_a_full_disk_is_named(tmp_path: Path, wheel: PlacedWheel, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    spec, member, _ = wheel
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess((), 1, "", line + "\n"))
    with pytest.raises(StorageError, match=r"cannot be written to .*; free some space, or set ESE4ML_CACHE"):
        fetch(spec, [member], tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_without_a_network_the_file_to_place_is_named(
    tmp_path: Path, wheel: PlacedWheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, member, source = wheel
    monkeypatch.setattr(subprocess, "run", no_network)
    folder = tmp_path / "cache"
    with pytest.raises(MissingError) as caught:
        fetch(spec, [member], folder)
    assert "tiny==1 could not be downloaded (ERROR: No matching distribution found for tiny==1)" in str(caught.value)
    assert f"place it at {folder / source.name}" in str(caught.value)
    assert list(folder.iterdir()) == []

    source.rename(folder / source.name)  # as the message says
    (path,) = fetch(spec, [member], folder)
    assert path.read_text().startswith("# a comment")
    (folder / source.name).unlink()
    assert fetch(spec, [member], folder) == [path]  # cached: pip is not asked again


def test_a_pip_that_hangs_is_a_missing_file(
    tmp_path: Path, wheel: PlacedWheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hangs(command: list[str], timeout: float, **kwargs: object) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", hangs)
    with pytest.raises(MissingError, match="timed out after 3 seconds"):
        fetch(wheel[0], [wheel[1]], tmp_path / "cache", timeout=3)


def test_a_wheel_with_another_checksum_is_refused(tmp_path: Path, wheel: PlacedWheel) -> None:
    spec, member, source = wheel
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / source.name).write_bytes(source.read_bytes() + b" ")
    with pytest.raises(FormatError, match=f"has SHA-256 .*; expected {spec.sha256}"):
        fetch(spec, [member], folder)
    assert [path.name for path in folder.iterdir()] == [source.name]


def test_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ESE4ML_CACHE", str(tmp_path))
    assert cache.cache_folder() == tmp_path
    monkeypatch.delenv("ESE4ML_CACHE")
    assert cache.cache_folder().parts[-2:] == (".cache", "ese4ml")


@pytest.mark.network
def test_japanese_vowels_has_its_published_sizes() -> None:
    found = japanese_vowels.load()
    sizes = {name: split.inputs.shape for name, split in found.splits.items()}
    assert sizes == {"train": (216, 29, 12), "validation": (54, 29, 12), "test": (370, 29, 12)}
    assert np.bincount(found.train.labels).tolist() == [24] * 9
    assert np.bincount(found.validation.labels).tolist() == [6] * 9
    known = np.concatenate([found.train.lengths, found.validation.lengths])
    assert (known.min(), known.max()) == (7, 26)
    assert np.abs(found.train.inputs).max() < 8 and np.abs(found.test.inputs).max() < 8
