"""Damaged and hostile design folders: each is refused with a message, or runs and agrees with the golden model."""

from __future__ import annotations

import contextlib
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_design import codes, expected, make_twins

from ese_host.bundle import manifest
from ese_host.errors import EseError
from ese_host.files.hashing import digest
from ese_host.ir.fixed import Codes
from ese_host.ir.program import run
from ese_host.runtime.accelerator import Accelerator
from ese_host.runtime.runner import run_program

Rng = np.random.Generator
SHARE, ALL = 400, 5200
"""Numbers of damaged manifests, and of damaged images: in every run, and under the marker `slow`."""
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 255, 1 << 31, 1 << 70, -(1 << 63), 0.5, 1e308, -0.0, "", "x", "../design.bit", "/dev/zero",
    "design.bit\x00", "0" * 64, "0x00000000", "emulated", "bitstream", "zcu104", [], {}, [[]], {"a": {}}, "𝕏",
    "a" * 999,
)  # fmt: skip


def cut(data: bytearray, rng: Rng) -> None:
    start, stop = sorted(rng.integers(0, len(data) + 1, 2))
    del data[start:stop]


def double(data: bytearray, rng: Rng) -> None:
    start, stop = sorted(rng.integers(0, len(data) + 1, 2))
    data[start:start] = data[start:stop]


def flip(data: bytearray, rng: Rng) -> None:
    for _ in range(rng.integers(1, 5)):
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)


def insert(data: bytearray, rng: Rng) -> None:
    at = rng.integers(len(data) + 1)
    data[at:at] = rng.bytes(int(rng.integers(1, 9)))


def digit(data: bytearray, rng: Rng) -> None:
    places = [i for i, byte in enumerate(data) if chr(byte).isdigit()]
    data[places[rng.integers(len(places))]] = ord("0") + int(rng.integers(10))


def field(data: bytearray, rng: Rng) -> None:
    """Replace, remove, add or swap one value anywhere in the tree."""
    tree = json.loads(bytes(data))
    node = tree
    while True:
        key = sorted(node)[rng.integers(len(node))]
        if not isinstance(node[key], dict) or not node[key] or rng.random() < 0.3:
            break
        node = node[key]
    action = rng.integers(4)
    if action == 0:
        node[key] = VALUES[rng.integers(len(VALUES))]
    elif action == 1:
        del node[key]
    elif action == 2:
        node[str(VALUES[rng.integers(len(VALUES))])] = node[key]
    else:
        other = sorted(node)[rng.integers(len(node))]
        node[key], node[other] = node[other], node[key]
    data[:] = json.dumps(tree).encode()


def word(data: bytearray, rng: Rng) -> None:
    at = 4 * int(rng.integers(len(data) // 4))
    value = int(rng.choice(np.array([0, 1, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, int(rng.integers(1 << 32))], np.uint64)))
    data[at : at + 4] = value.to_bytes(4, "little")


def header(data: bytearray, rng: Rng) -> None:
    """Change a word of the header and correct the checksum, so that no CRC finds the damage."""
    words = data[:64]
    word(words, rng)
    data[:64] = words
    data[-4:] = zlib.crc32(bytes(data[:-4])).to_bytes(4, "little")


def trial(folder: Path, driver: Any, inputs: Codes) -> bool:
    """Whether a folder runs; if it does, check that it agrees with the golden model."""
    try:
        with Accelerator(folder, driver=driver, timeout=1.0) as engine:
            result = engine.run(inputs)
    except EseError as error:
        assert str(error) and "\n" not in str(error)
        return False
    np.testing.assert_array_equal(result.outputs, expected(inputs, result.frac))
    return True


def campaign(
    folder: Path,
    name: str,
    damages: tuple[Callable[[bytearray, Rng], None], ...],
    count: int,
    trial: Callable[[Path, Any, Codes], bool] = trial,
) -> int:
    """Damage a file `count` times, with its right SHA-256 in the manifest; returns how many folders still ran."""
    whole, intact_manifest = (folder / name).read_bytes(), (folder / manifest.NAME).read_text()
    inputs, ran = codes(2, 2), 0
    assert trial(folder, "adapter", inputs)
    for number in range(count):
        rng = np.random.default_rng([number, len(whole)])
        data = bytearray(whole)
        while data == whole:
            for _ in range(rng.integers(1, 3)):
                # A second damage may find nothing that it can parse.
                with contextlib.suppress(ValueError, AttributeError, IndexError):
                    damages[rng.integers(len(damages))](data, rng)
        (folder / name).write_bytes(data)
        if name != manifest.NAME:
            value = json.loads(intact_manifest)
            value["files"][name] = digest(folder / name)
            if rng.random() < 0.5:
                image_id = f"0x{int.from_bytes(data[-4:], 'little'):08x}"
                value.update({"image_id": image_id} if name == manifest.IMAGE else {"further_images": [image_id]})
            (folder / manifest.NAME).write_text(json.dumps(value))
        ran += trial(folder, "adapter", inputs)
    return ran


def twins_run(folder: Path, driver: Any, inputs: Codes) -> bool:
    """`trial` for the program of `test_program_folder`."""
    try:
        with Accelerator(folder, driver=driver, timeout=1.0) as engine:
            result = run_program(engine, inputs)
            golden = run(engine.program, inputs)
    except EseError as error:
        assert str(error) and "\n" not in str(error)
        return False
    for name, value in golden.tensors.items():
        np.testing.assert_array_equal(result.run.tensors[name].codes, value.codes)
    return True


COUNTS = [SHARE, pytest.param(ALL, marks=pytest.mark.slow)]


@pytest.mark.parametrize("count", COUNTS)
def test_damaged_manifests(folder: Path, count: int) -> None:
    ran = campaign(folder, manifest.NAME, (cut, double, flip, insert, digit, field, field, field), count)
    assert 0 < ran < count / 4


@pytest.mark.parametrize("count", COUNTS)
def test_damaged_programs(folder: Path, count: int) -> None:
    """Manifest, golden model and second image of a program of two chains."""
    make_twins(folder)
    manifests = campaign(folder, manifest.NAME, (cut, double, flip, insert, digit, field, field), count // 4, twins_run)
    assert 0 < manifests < count / 8
    make_twins(folder)
    images = campaign(folder, "image-1.bin", (cut, double, flip, insert, word, header, header), count // 4, twins_run)
    assert images == 0  # images and golden model are tied by a digest
    make_twins(folder)
    campaign(folder, manifest.GOLDEN, (cut, double, flip, insert), count // 4, twins_run)


@pytest.mark.parametrize("count", COUNTS)
def test_damaged_images(folder: Path, count: int) -> None:
    ran = campaign(folder, manifest.IMAGE, (cut, double, flip, insert, word, header, header), count)
    assert ran == 0  # image and golden model are tied by a digest
