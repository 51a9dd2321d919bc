# SPDX-License-Identifier: Apache-2.0
"""`ese4ml.build`: a model in memory or in a file becomes a design folder that opens and checks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import stand_ins

import ese4ml
from ese_hls.backend.emission import LoadedModel, options_for
from ese_hls.build import BuildReport
from ese_host.bundle import Folder
from ese_host.errors import EseError, MismatchError, MissingError, UnsupportedError
from support.keras_models.plugin_models import classifier

X = np.random.default_rng(6).normal(size=(8, 6, 7)).astype(np.float32)
Y = np.arange(8) % 5


class Masks:
    """A constraint that says what its mask was made for, as those of ese_models do."""

    def __init__(self, pes: int, gap_bits: int) -> None:
        self.pes, self.gap_bits = pes, gap_bits

    def __call__(self, w: Any) -> Any:
        return w


def constrained(*made_for: tuple[int, int]) -> Any:
    model = classifier()
    kernels = [weight for weight in model.weights if "kernel" in weight.path]
    for weight, values in zip(kernels, made_for, strict=False):
        weight.constraint = Masks(*values)
    return model


def test_from_a_model_to_an_engine(tmp_path: Path) -> None:
    model = classifier()
    folder = ese4ml.build(model, tmp_path / "design", test=(X, Y), classes=list("abcde"), scaling=(1, 2), pes=2)
    assert folder.path == tmp_path / "design" and folder.manifest.design.pes == 2
    assert [path.name for path in tmp_path.iterdir()] == ["design"]
    report = ese4ml.check(folder)
    assert report["bit_exact"] and report["agreement_with_keras"] == 1.0
    with ese4ml.open(folder) as engine:
        recorded = X * 2 + 1
        np.testing.assert_array_equal(engine.predict(recorded), engine.predict(X, scaled=True))
        expected = model.predict(X, verbose=0).argmax(axis=1)
        assert engine.classify(recorded) == ["abcde"[number] for number in expected]


def test_a_file_with_its_provenance_and_an_emitted_project(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    classifier().save(path)
    path.with_name("m.provenance.json").write_text(json.dumps({"pes": 4, "gap_bits": 3}))
    folder = ese4ml.build(path, tmp_path / "d", project=tmp_path / "prj", with_="g++", mode="skip")
    design = folder.manifest.design
    assert (design.pes, design.gap_bits, design.mode) == (4, 3, "skip")
    project, conversion = ese4ml.emit(path, tmp_path / "again", {"mode": "skip"})
    assert project.design == design and conversion.options.pes == 4
    assert (tmp_path / "prj" / "golden.npz").read_bytes() == (tmp_path / "again" / "golden.npz").read_bytes()


def test_masks_say_what_they_were_made_for() -> None:
    def chosen(model: Any, **given: Any) -> tuple[Any, Any]:
        options = options_for(LoadedModel(model), given)
        return options.pes, options.gap_bits

    assert chosen(classifier()) == (None, 5)
    assert chosen(constrained((4, 6), (4, 6))) == (4, 6)
    assert chosen(constrained((4, 6)), pes=2) == (2, 6)
    with pytest.raises(UnsupportedError, match=r"^the masks of the model were made for 4 and 8 pes; one value is "):
        chosen(constrained((4, 6), (8, 6)))
    assert chosen(constrained((4, 6), (8, 7)), pes=2, gap_bits=4) == (2, 4)
    assert chosen(constrained((4, 6), (8, 6)), pes=2) == (2, 6)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"with_": "gcc"}, UnsupportedError, r"with_ is 'gcc'; g\+\+, verilator, vivado, vitis are allowed, or None"),
        ({"gapbits": 4}, UnsupportedError, "there is no option 'gapbits'; did you mean 'gap_bits'"),
        ({"pes": 0}, UnsupportedError, "option pes "),
        ({"test": "none.npz"}, MissingError, "none.npz does not exist; name an .npz file"),
        ({"classes": ["a"]}, EseError, "output 'softmax' has 1 names of classes"),
        ({"board": "none"}, UnsupportedError, "board is 'none'; known boards"),
    ],
)
def test_wrong_arguments_leave_nothing_behind(
    tmp_path: Path, arguments: dict[str, Any], kind: type[EseError], message: str
) -> None:
    with pytest.raises(kind, match=f"^{message}"):
        ese4ml.build(classifier(), tmp_path / "d", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_other_folders_are_kept(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(MismatchError, match=r"exists and holds no manifest\.json; it is not replaced"):
        ese4ml.build("none.keras", tmp_path)
    with pytest.raises(MissingError, match=r"^none\.keras is not there; "):
        ese4ml.build("none.keras", tmp_path / "d")


def test_the_tools_of_the_vendor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(MissingError, match="vivado is not on PATH"):
        ese4ml.build(classifier(), tmp_path / "d", with_="vivado")
    stand_ins.install(tmp_path / "d-project", tmp_path, monkeypatch)
    report = ese4ml.build(classifier(), tmp_path / "d", with_="vitis")
    assert isinstance(report, BuildReport) and not (tmp_path / "d").exists()
    folder = ese4ml.build(classifier(), tmp_path / "d", with_="vivado")
    assert isinstance(folder, Folder) and folder.manifest.kind == "bitstream"
