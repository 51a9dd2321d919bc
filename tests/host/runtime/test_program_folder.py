# SPDX-License-Identifier: Apache-2.0
"""Folders of programs on the stand-in engine: which image is loaded, and when another one is loaded instead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_design import (
    codes,
    expected,
    make_twins,
    small_design,
    write_manifest,
)

from ese_host.bundle.image_file import read_image
from ese_host.errors import DeviceError, MismatchError
from ese_host.ir.program import run
from ese_host.runtime.accelerator import Accelerator
from ese_host.runtime.runner import run_program


def test_an_image_of_the_same_id_is_loaded_too_if_it_differs(folder: Path) -> None:
    """An id is a CRC-32, which somebody can keep while the image changes: here by adding its polynomial."""
    make_twins(folder, weights=0)
    words = np.fromfile(folder / "image-1.bin", "<u4")
    words[600:602] ^= np.array([0xDB710641, 1], np.uint32)
    words.tofile(folder / "image-1.bin")
    write_manifest(folder, further_images=(int(words[-1]),))
    with Accelerator(folder, driver="adapter") as engine:
        assert len({part.image.image_id for part in engine.parts}) == 1
        assert [engine.select(name) for name in ("two", "two", "one")] == [True, False, True]


def test_an_image_is_loaded_if_it_changes(folder: Path) -> None:
    make_twins(folder)
    inputs = codes(4, 3)
    with Accelerator(folder, driver="adapter") as engine:
        for loads in (1, 2, 2):
            found = run_program(engine, inputs, [3, 1, 2, 3])
            assert found.loads == loads
            np.testing.assert_array_equal(
                found.run.output().codes, run(engine.program, inputs, [3, 1, 2, 3]).output().codes
            )
        assert [engine.select(name) for name in ("two", "one", "one")] == [False, True, False]
        stream = engine.stream(inputs, batch=1)
        next(stream)
        engine.select("two")
        with pytest.raises(DeviceError, match=r"^another image was loaded in the middle of a stream: run the rest"):
            list(stream)


def test_equal_images_are_loaded_once(folder: Path) -> None:
    make_twins(folder, weights=0)
    with Accelerator(folder, driver="adapter") as engine:
        assert [run_program(engine, codes(2, 2)).loads for _ in range(3)] == [0, 0, 0]
        assert engine.select("two") is False


def test_a_single_chain_is_never_loaded_again(folder: Path) -> None:
    inputs = codes(2, 2)
    with Accelerator(folder, driver="adapter") as engine:
        found = run_program(engine, inputs)
        assert found.loads == 0 and list(found.chains) == ["chain"]
        result = found.chains["chain"]
        np.testing.assert_array_equal(result.outputs, expected(inputs, result.frac))
        np.testing.assert_array_equal(found.run.values(), result.values())
        np.testing.assert_array_equal(found.run.classes(), result.classes())


def test_a_program_and_a_network_share_an_engine(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for item in folder.iterdir():
        (other / item.name).write_bytes(item.read_bytes())
    make_twins(other)
    with Accelerator(folder, driver="adapter") as engine:
        engine.load(other)
        assert [part.chain for part in engine.parts] == ["one", "two"] and run_program(engine, codes(2, 2)).loads == 1
        engine.load(folder)
        assert engine.program.lone is not None and run_program(engine, codes(2, 2)).loads == 0


def test_a_second_image_of_another_id_is_refused(folder: Path) -> None:
    make_twins(folder)
    found = read_image(folder / "image-1.bin", small_design()).image_id
    write_manifest(folder, further_images=(found ^ 1,))
    message = rf"image-1\.bin: image id is {found:#010x}; the manifest says {found ^ 1:#010x}: emit the image again"
    with pytest.raises(MismatchError, match=message):
        Accelerator(folder, driver="adapter")
