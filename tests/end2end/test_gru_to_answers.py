# SPDX-License-Identifier: Apache-2.0
"""Models with GRU layers from Keras to the answers of the emulated engine: pruned, quantized, built, run, estimated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl

import ese4ml
from ese_host.estimate import read_folder

PES, STEPS = 4, 8
RNG = np.random.default_rng(0)
Y = RNG.integers(0, 3, 48)
X = (RNG.normal(size=(48, STEPS, 5)) + 0.7 * Y[:, None, None]).astype(np.float32)


def model(*layers: Any) -> Any:
    keras.utils.set_random_seed(1)
    made = keras.Sequential([keras.Input((STEPS, 5)), *layers, kl.Dense(3, "softmax", name="out")])
    # eager, because a graph takes longer to compile than these models take to train
    made.compile("adam", "sparse_categorical_crossentropy", run_eagerly=True, jit_compile=False)
    return made


def counted(folder: Path) -> list[list[int]]:
    """Entries of each PE, of every matrix in a design's image."""
    return sorted(read_folder(folder).image.counts.tolist())


def test_both_forms_from_keras_to_answers(tmp_path: Path) -> None:
    layers = [kl.GRU(12, return_sequences=True, name="after"), kl.GRU(8, reset_after=False, name="before")]
    pruned = ese4ml.prune(model(*layers), density=0.4, pes=PES)
    coded = ese4ml.quantize(pruned, "ternary", data=(X, Y))
    design = ese4ml.build(coded, tmp_path / "design", test=(X, Y))
    with ese4ml.open(design) as engine:
        answers = engine.predict(X, scaled=True)
    report = ese4ml.check(design)
    assert report["bit_exact"] and report["agreement_with_keras"] == 1
    assert (answers.argmax(axis=1) == Y).mean() == report["accuracy"]["engine"]

    stored = ese4ml.sparsity(coded)
    assert counted(tmp_path / "design") == sorted(kernel.entries_per_pe for kernel in stored.kernels)
    balanced = [kernel for kernel in stored.kernels if kernel.name != "out/kernel"]
    assert len(balanced) == 5 and all(len(set(kernel.entries_per_pe)) == 1 for kernel in balanced)

    found = ese4ml.estimate(design, steps=STEPS)
    assert (found["kept_weights"], found["design"]["cells"]) == (stored.kept, "gru")
    assert found["sequence"]["cycles"] == STEPS * report["cycles_per_step"]


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["float", "int4", "ttq", "codebook4"])
@pytest.mark.parametrize(
    "layers",
    [
        lambda: [kl.Bidirectional(kl.GRU(6), name="both")],
        lambda: [kl.Bidirectional(kl.GRU(6, reset_after=False), name="both")],
        lambda: [kl.GRU(12, return_sequences=True), kl.LSTM(8, return_sequences=True), kl.GRU(8, reset_after=False)],
    ],
    ids=["both ways", "both ways, reset before", "mixed"],
)
def test_a_compressed_model_is_exact(layers: Callable[[], list[Any]], weights: Any, tmp_path: Path) -> None:
    sparse = ese4ml.compress(model(*layers()), (X, Y), density=0.4, weights=weights, pes=PES, epochs=2, verbose=0)
    options: dict[str, Any] = {"calibration": X} if weights == "float" else {}
    design = ese4ml.build(sparse, tmp_path / "design", test=(X, Y), **options)
    report = ese4ml.check(design)
    assert report["bit_exact"] and report["agreement_with_keras"] == 1


@pytest.mark.slow
def test_a_file_is_estimated_as_its_design_is(tmp_path: Path) -> None:
    coded = ese4ml.quantize(ese4ml.prune(model(kl.GRU(9, reset_after=False)), density=0.3, pes=PES), data=(X, Y))
    coded.save(tmp_path / "coded.keras")
    design = ese4ml.build(coded, tmp_path / "design")
    of_design, of_file, of_model = (
        ese4ml.estimate(each, steps=STEPS) for each in (design, tmp_path / "coded.keras", coded)
    )
    assert [of_file["subject"], of_model["subject"]] == ["coded.keras", coded.name]
    assert {**of_file, "subject": ""} == {**of_model, "subject": ""} == {**of_design, "subject": ""}
