# SPDX-License-Identifier: Apache-2.0
"""A small design for tests: one Dense layer with its image, test set and manifest."""

from __future__ import annotations

import importlib.util
import io
import zlib
from pathlib import Path

import numpy as np
import pytest

from ese_host import image
from ese_host.bundle import golden_file, manifest, model_digest
from ese_host.check.compare import scaled
from ese_host.device import record
from ese_host.files.hashing import digests
from ese_host.files.words import Words
from ese_host.image.design import FORMAT_VERSION, SUM_FRAC, Design
from ese_host.ir import golden
from ese_host.ir.activations import Activation
from ese_host.ir.fixed import Codes, Fixed
from ese_host.ir.network import Dense, Matrix, Network
from ese_host.ir.program import Chain, Merge, Output, Port, Program

INPUTS, OUTPUTS = 5, 3
SOURCE = Fixed(8, 3)


needs_pynq = pytest.mark.skipif(importlib.util.find_spec("pynq") is None, reason="needs pynq")
DRIVERS = [pytest.param("pynq", marks=needs_pynq), "adapter"]


def codes(count: int, steps: int, seed: int = 0) -> Codes:
    return np.random.default_rng(seed).integers(SOURCE.low, SOURCE.high + 1, size=(count, steps, INPUTS))


def expected(inputs: Codes, frac: int) -> Codes:
    result = golden.run(small_network(), inputs)
    return scaled(result.outputs, result.frac, frac, "outputs")


def small_design(**changes: object) -> Design:
    gate = Activation("hard_sigmoid", Fixed(8, 0, signed=False), 1 << 14, 1 << 15)
    cell = Activation("hard_tanh", Fixed(8, 1), 1 << 15, 0)
    fields: dict[str, object] = {
        "weights": "int4", "gap_bits": 4, "pes": 2, "cells_per_cycle": 1, "acc_bits": 24, "acc_banks": 1,
        "entry_depth": 64, "group_depth": 4, "vector_depth": 16, "param_depth": 16, "cell_depth": 16, "phases": 4,
        "source": SOURCE, "state": Fixed(8, 1), "output": Fixed(8, 1), "gate": gate, "cell": cell,
    }  # fmt: skip
    return Design(**{**fields, **changes})  # type: ignore[arg-type]


def small_network() -> Network:
    codes = np.fromfunction(lambda o, i: (o * 3 + i * 5) % 15 - 7, (OUTPUTS, INPUTS)).astype(np.int64)
    kernel = Matrix(codes, "int4", np.ones((2, OUTPUTS), np.int64), 0)
    return Network((Dense("logits", kernel, np.zeros(OUTPUTS, np.int64), 0, False, SOURCE, None),), SOURCE)


def image_words(design: Design, weights: int = 0) -> Words:
    """A valid image without weights, because the stand-in engine ignores them. Another `weights` gives another id."""
    header = {name: 0 for name in image.HEADER} | {
        "magic": image.MAGIC, "version": FORMAT_VERSION, "design_id": design.design_id, "phases": 1,
        "inputs": INPUTS, "outputs": OUTPUTS, "flags": 1, "formats": SUM_FRAC, "weights": weights,
    }  # fmt: skip
    header["words"] = image.section_slices(header, design)["checksum"].stop
    words = np.zeros(header["words"], dtype=np.uint32)
    words[: len(image.HEADER)] = list(header.values())
    words[-1] = zlib.crc32(words[:-1].astype("<u4").tobytes())
    return words


def make_test_set(network: Network) -> bytes:
    rng = np.random.default_rng(2)
    inputs = rng.integers(SOURCE.low, SOURCE.high + 1, size=(40, 6, INPUTS))
    result = golden.run(network, inputs)
    predictions = np.ldexp(result.outputs[:, -1].astype(np.float64), -result.frac)
    labels = predictions.argmax(axis=1)
    labels[:4] = (labels[:4] + 1) % OUTPUTS
    buffer = io.BytesIO()
    np.savez_compressed(buffer, inputs=inputs, labels=labels, keras_predictions=predictions)
    return buffer.getvalue()


def write_manifest(path: Path, **changes: object) -> manifest.Manifest:
    """Write a manifest of the files that the folder holds now; `changes` replace its fields."""
    names = sorted(item.name for item in path.iterdir() if item.name != manifest.NAME)
    images = sorted(path.glob("image*.bin"), key=lambda image: len(image.name))
    fields: dict[str, object] = {
        "kind": "emulated",
        "design": small_design(),
        "image_id": int(image_words(small_design())[-1]),
        "model": model_digest((path / manifest.GOLDEN).read_bytes(), [np.fromfile(image, "<u4") for image in images]),
        "board": "pynq-z2",
        "part": "xc7z020clg400-1",
        "clock_mhz": 100,
        "files": digests(path, names),
        "tools": {"g++": "any"},
    }
    value = manifest.Manifest(**{**fields, **changes})  # type: ignore[arg-type]
    manifest.write(path, value)
    record(value.files[manifest.BIT], path)
    return value


def twins() -> Program:
    """A program of two chains over one input, one forwards and one backwards, and the sum of their outputs."""
    net = small_network()
    chains = Chain("one", net, "x", "a"), Chain("two", net, "x", "b", backwards=True)
    return Program((Port("x", INPUTS, SOURCE),), (*chains, Merge("add", ("a", "b"), "sum")), (Output("sum", "y"),))


def make_twins(folder: Path, weights: int = 1) -> None:
    """Turn the small design's folder into a folder of the program `twins`, with a second image."""
    words = image_words(small_design(), weights)
    words.astype("<u4").tofile(folder / "image-1.bin")
    (folder / manifest.GOLDEN).write_bytes(golden_file.dump(twins()))
    write_manifest(folder, further_images=(int(words[-1]),))
