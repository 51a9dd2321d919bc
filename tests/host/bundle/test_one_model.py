# SPDX-License-Identifier: Apache-2.0
"""An image and a golden model are used together only if both were emitted from one model."""

from __future__ import annotations

import json
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from small_design import OUTPUTS, image_words, make_twins, small_design, small_network, write_manifest

from ese_host.bundle import golden_file, manifest, model_digest
from ese_host.errors import MismatchError
from ese_host.files.hashing import digest
from ese_host.ir.network import Dense, Network
from ese_host.runtime.accelerator import Accelerator


def with_files_in_order(folder: Path) -> None:
    """Put the digests and ids of the folder's files into its manifest, but leave `model` as it was."""
    path = folder / manifest.NAME
    value = json.loads(path.read_text())
    value["files"] = {name: digest(folder / name) for name in value["files"]}
    words = np.fromfile(folder / manifest.IMAGE, "<u4")
    value["image_id"] = f"{int(words[-1]):#010x}"
    path.write_text(json.dumps(value))


def test_another_image_of_the_same_shape_is_refused(folder: Path) -> None:
    image_words(small_design(), weights=7).astype("<u4").tofile(folder / manifest.IMAGE)
    with_files_in_order(folder)
    with pytest.raises(MismatchError, match=r"image\.bin and golden\.npz do not encode the same model: .* build the"):
        Accelerator(folder)


def test_every_bit_of_the_image_counts(folder: Path) -> None:
    intact = np.fromfile(folder / manifest.IMAGE, "<u4")
    for place in range(len(intact) - 1):
        words = intact.copy()
        words[place] ^= np.uint32(1 << place % 32)
        words[-1] = zlib.crc32(words[:-1].tobytes())
        golden = (folder / manifest.GOLDEN).read_bytes()
        assert model_digest(golden, [words]) != model_digest(golden, [intact])


def test_another_golden_model_of_the_same_shape_is_refused(folder: Path) -> None:
    network = small_network()
    dense = network.layers[0]
    assert isinstance(dense, Dense)
    biased = Dense(dense.name, dense.kernel, np.ones(OUTPUTS, np.int64), 0, False, dense.source, None)
    (folder / manifest.GOLDEN).write_bytes(golden_file.dump(Network((biased,), network.source)))
    with_files_in_order(folder)
    with pytest.raises(MismatchError, match="do not encode the same model"):
        Accelerator(folder)
    write_manifest(folder)  # as if both had been emitted together
    Accelerator(folder).close()


def test_images_in_another_order_are_refused(folder: Path) -> None:
    make_twins(folder)
    Accelerator(folder).close()
    first, second = (folder / manifest.image_name(number) for number in range(2))
    contents = first.read_bytes(), second.read_bytes()
    second.write_bytes(contents[0])
    first.write_bytes(contents[1])
    with_files_in_order(folder)
    value = json.loads((folder / manifest.NAME).read_text())
    value["further_images"] = [f"{int(np.frombuffer(contents[0], '<u4')[-1]):#010x}"]
    (folder / manifest.NAME).write_text(json.dumps(value))
    with pytest.raises(MismatchError, match=r"image\.bin, image-1\.bin and golden\.npz do not encode the same model"):
        Accelerator(folder)


def test_the_digest_of_a_large_model_takes_no_time() -> None:
    # ESE's layer: an image of half a megabyte; golden.npz, compressed, has about as much.
    golden, words = bytes(2_000_000), np.zeros(500_000, np.uint32)
    begun = time.perf_counter()
    model_digest(golden, [words])
    assert time.perf_counter() - begun < 0.5
