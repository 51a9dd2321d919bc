# SPDX-License-Identifier: Apache-2.0
"""`ese4ml emit` and `ese4ml build`."""

from __future__ import annotations

import errno
import json
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from click.testing import CliRunner

from ese_hls.cli import commands
from ese_hls.frontend.saved_model import load_model
from ese_host import decoding
from ese_host.bundle import manifest
from ese_host.bundle.folder import Folder
from ese_host.bundle.image_file import read_image
from ese_host.cli.main import main
from ese_host.decoding import Decoder
from ese_host.errors import EseError, FormatError, MissingError, UnsupportedError
from ese_host.files import saved_model
from support.keras_models.plugin_models import chain, classifier


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model with a provenance file beside it."""
    path = tmp_path_factory.mktemp("models") / "small.keras"
    classifier().save(path)
    path.with_name("small.provenance.json").write_text(json.dumps({"seeds": [7]}))
    return path


def run(command: Any, *arguments: object) -> Any:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_emit_then_build(saved: Path, tmp_path: Path) -> None:
    emitted = run(commands.emit, saved, "--out", tmp_path / "project", "--pes", 1, "--json")
    assert emitted.exit_code == 0, emitted.output
    description = json.loads(emitted.stdout)
    assert description["summary"]["exact"] and description["board"] == "pynq-z2"
    assert description["summary"]["tensors"][0]["layer"] == "lstm"

    built = run(commands.build, tmp_path / "project", "--out", tmp_path / "bits", "--json")
    assert built.exit_code == 0, built.output
    folder = Folder.open(tmp_path / "bits")
    packed = run(commands.pack, tmp_path / "bits", "--out", tmp_path / "packed", "--json")
    assert packed.exit_code == 0, packed.output
    sizes = json.loads(packed.stdout)["image_bytes"]
    again = Folder.open(tmp_path / "packed")
    again.check()
    paths = [item.file(manifest.IMAGE) for item in (folder, again)]
    assert [len(path.data) for path in paths] == [sizes["plain"], sizes["stored"]]
    first, second = (read_image(path, folder.manifest.design) for path in paths)
    assert (first.words == second.words).all()
    folder.check()
    assert json.loads(built.stdout)["image_id"] == description["image_id"]
    assert json.loads(folder.file("provenance.json").data) == {"seeds": [7]}


def test_emit_prints_the_summary(saved: Path, tmp_path: Path) -> None:
    result = run(commands.emit, saved, "--out", tmp_path / "project")
    assert "lstm/recurrent_kernel" in result.stdout and "8 PEs" in result.stdout
    assert "- lstm/recurrent stored sparse: fewer cycles (" in result.stdout
    description = json.loads((tmp_path / "project" / "design.json").read_text())
    assert [(each["layer"], each["part"]) for each in description["storage"]][:2] == [
        ("lstm", "recurrent"),
        ("lstm", "kernel"),
    ]


def test_emit_takes_the_kind_of_weight(saved: Path, tmp_path: Path) -> None:
    result = run(commands.emit, saved, "--out", tmp_path / "project", "--weight-code", "int8")
    assert "- weights are int8, as configured; int4 would hold all of them" in result.stdout
    assert json.loads((tmp_path / "project" / "design.json").read_text())["design"]["weights"] == "int8"
    old = run(commands.emit, saved, "--out", tmp_path / "old", "--weights", "int8")
    assert old.stderr.startswith("warning: --weights is called --weight-code now; ")
    assert (tmp_path / "old" / "design.json").read_bytes() == (tmp_path / "project" / "design.json").read_bytes()


def test_emit_takes_a_window(saved: Path, tmp_path: Path) -> None:
    result = run(commands.emit, saved, "--out", tmp_path / "project", "--window", 8)
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "project" / "design.json").read_text())["design"]["window"] == 8


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (None, MissingError, r"model\.keras is not there; make it with `ese4ml train` or `ese4ml compress`"),
        (lambda path: path.write_text("no model"), FormatError, r"model\.keras cannot be read as a Keras model"),
        (
            lambda path: chain(keras.layers.Conv2D(2, 2, name="conv"), shape=(6, 7, 1)).save(path),
            UnsupportedError,
            r"layer 'conv' \(Conv2D\) has no place in the engine",
        ),
    ],
)
def test_emit_refuses_and_writes_nothing(make: Any, error: type[EseError], message: str, tmp_path: Path) -> None:
    if make is not None:
        make(tmp_path / "model.keras")
    result = run(commands.emit, tmp_path / "model.keras", "--out", tmp_path / "project")
    assert result.exit_code != 0
    with pytest.raises(error, match=message):
        raise result.exception
    assert not (tmp_path / "project").exists()


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--pes", "option pes (hls_config['Model']['PEs']) is 0; 1 to 256 is allowed"),
        ("--gap-bits", "option gap_bits (hls_config['Model']['GapBits']) is 0; 2 to 12 is allowed"),
        ("--acc-banks", "option acc_banks (hls_config['Model']['AccBanks']) is 0; 1"),
        ("--cells-per-cycle", "option cells_per_cycle (hls_config['Model']['CellsPerCycle']) is 0; 1 or 2"),
        ("--clock-mhz", "option clock_mhz (hls_config['Model']['ClockMHz']) is 0; 1 to 1000 is allowed"),
        ("--fifo-depth", "option fifo_depth (hls_config['Model']['FifoDepth']) is 0; "),
    ],
)
def test_zero_is_not_taken_for_nothing(saved: Path, tmp_path: Path, option: str, words: str) -> None:
    done = run(main, "emit", saved, "--out", tmp_path / "project", option, 0)
    assert done.exit_code == 2 and words in done.output
    assert not (tmp_path / "project").exists()
    assert run(main, "build", tmp_path, "--timeout", 0).exit_code == 2


def test_emit_with_a_test_set_and_calibration(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    model = tmp_path / "model.keras"
    model.write_bytes(saved.read_bytes())
    (tmp_path / "model.testset.npz").write_bytes(b"no test set")
    np.savez(tmp_path / "t.npz", x=rng.normal(size=(10, 6, 7)), y=rng.integers(0, 5, 10))
    np.save(tmp_path / "c.npy", rng.normal(size=(4, 6, 7)))
    project, bits = tmp_path / "project", tmp_path / "bits"
    options = ("--test", tmp_path / "t.npz", "--calibration", tmp_path / "c.npy", "--pes", 1)
    emitted = run(main, "emit", model, "--out", project, *options)
    assert emitted.exit_code == 0, emitted.output
    assert run(main, "build", project, "--out", bits).exit_code == 0
    checked = run(main, "check", bits, "--json", "--report", tmp_path / "report")
    assert checked.exit_code == 0, checked.output
    found = json.loads(checked.stdout)
    assert found["agreement_with_keras"] == 1.0 and set(found["accuracy"]) == {"engine"}
    assert found["outputs"][0]["difference_from_keras"] < 1e-5
    assert len(run(main, "run", bits, "--all").stdout.split()) == 10
    given: dict[str, Any] = {}
    monkeypatch.setattr("hls4ml.converters.convert_from_keras_model", lambda *_, **options: given.update(options))
    run(main, "emit", saved, "--out", tmp_path / "other", "--strict", "--self-check", 3)
    assert given["strict"] is True and given["hls_config"]["Model"]["SelfCheck"] == 3 and given["test"] is None


def test_build_needs_a_folder_to_make(tmp_path: Path) -> None:
    result = run(commands.build, tmp_path)
    assert result.exit_code == 2 and "--out is needed: the design folder" in result.output
    result = run(commands.build, tmp_path, "--with", "verilator")
    assert result.exit_code == 2 and "--out is needed with verilator: the design folder" in result.output


def test_build_with_vitis_where_there_is_none(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(commands.emit, saved, "--out", tmp_path / "project")
    monkeypatch.setenv("PATH", str(tmp_path))
    result = run(commands.build, tmp_path / "project", "--with", "vitis")
    with pytest.raises(MissingError, match="neither vitis-run nor vitis_hls is on PATH"):
        raise result.exception


def test_modules_of_custom_classes_are_loaded_by_entry_point(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []

    class Entry:
        def load(self) -> None:
            loaded.append(self)

    monkeypatch.setattr(
        saved_model, "entry_points", lambda *, group: [Entry()] if group == "ese4ml.keras_objects" else []
    )
    assert [layer.name for layer in load_model(saved).layers] == ["source", "lstm", "dense", "softmax"]
    assert len(loaded) == 1


def test_exit_codes_of_failed_tools_and_of_places_that_cannot_be_written(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """3 if g++ fails, 4 if the output cannot be written; nothing is left behind."""
    project, file = tmp_path / "project", tmp_path / "file"
    assert run(main, "emit", saved, "--out", project, "--pes", 1).exit_code == 0
    file.write_text("no folder")
    for command in (("emit", saved), ("build", project)):
        done = run(main, *command, "--out", file / "made")
        assert done.exit_code == 4, done.output
        assert f"error: ese4ml {command[0]} cannot write {file}" in done.output
    compiler = tmp_path / "bin" / "g++"
    compiler.parent.mkdir()
    compiler.write_text("#!/bin/sh\necho no memory left >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", f"{compiler.parent}:/usr/bin:/bin")
    failed = run(main, "build", project, "--out", tmp_path / "bits")
    assert failed.exit_code == 3 and "no memory left" in failed.output
    assert not (tmp_path / "bits").exists() and file.read_text() == "no folder"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_4_if_the_disk_is_full_and_what_was_there_is_whole(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, largest_file: Any
) -> None:
    """Whether it is Python or g++ that finds no room; the earlier project or folder is replaced by nothing."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    work = tmp_path / "work"
    project, bits, packed = work / "project", work / "bits", work / "packed"
    lines: dict[str, tuple[object, ...]] = {
        "emit": (saved, "--out", project, "--pes", 1),
        "build": (project, "--out", bits),
        "pack": (bits, "--out", packed),
        "rebuild": (bits,),
    }
    for command in ("emit", "build", "pack"):
        assert run(main, command, *lines[command]).exit_code == 0
    before = contents(work)
    # The largest files are headers of the engine (12 and 265 KB), the library (61 KB), and objects of g++ between.
    for command, limits in {"emit": (100, 10_000), "build": (100, 20_000), "pack": (100, 40_000)}.items():
        for limit in limits:
            with largest_file(limit):
                done = run(main, command, *lines[command])
            assert done.exit_code == 4, done.output
            assert "error: " in done.output and "; free some space, or " in done.output
            assert "Traceback" not in done.output and contents(work) == before
    with largest_file(10_000):
        assert run(main, "rebuild", bits).exit_code == 4
    assert contents(work) == before and sorted(path.name for path in work.iterdir()) == ["bits", "packed", "project"]


def test_4_if_there_is_no_folder_for_temporary_files(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    assert run(main, "emit", saved, "--out", project, "--pes", 1).exit_code == 0

    def none_usable(*_: object, **__: object) -> Any:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "TemporaryDirectory", none_usable)
    done = run(main, "build", project, "--out", tmp_path / "bits")
    assert done.exit_code == 4 and "(No usable temporary directory found in ['/tmp'])" in done.output


def test_the_decoder_beside_a_model_goes_into_the_project(tmp_path: Path) -> None:
    """With labels of frames in the test set, `check` and `decode` need nothing else."""
    path, rng = tmp_path / "speech.keras", np.random.default_rng(3)
    model = classifier(return_sequences=True)
    model.save(path)
    (steps, width), count = model.input_shape[1:], model.output_shape[-1]
    same = [0] * count
    decoder = Decoder(800, 2, 1, same, same, same, [same] * count, {})
    decoding.write(tmp_path / "speech.decoder.json", decoder)
    y = rng.integers(0, count, (6, steps))
    np.savez(tmp_path / "test.npz", x=rng.normal(size=(6, steps, width)), y=y)
    words = ["--out", tmp_path / "project", "--pes", 1, "--test", tmp_path / "test.npz"]
    emitted = run(commands.emit, path, *words)
    assert emitted.exit_code == 0, emitted.output
    assert decoding.read(tmp_path / "project" / "decoder.json") == decoder
    with np.load(tmp_path / "project" / "testset.npz") as arrays:
        assert (arrays["frame_labels"] == y).all() and (arrays["labels"] == y[:, -1]).all()

    decoding.write(tmp_path / "speech.decoder.json", Decoder(800, 2, 1, [0], [0], [0], [[0]], {}))
    refused = run(commands.emit, path, *words)
    assert isinstance(refused.exception, FormatError)
    assert str(refused.exception).startswith("decoder.json is for sequences of 1 phones; output ")
