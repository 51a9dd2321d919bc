# SPDX-License-Identifier: Apache-2.0
"""Designs of all kinds for the recorder: converted by hls4ml, built, checked, and sent packets one by one."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from keras import layers as kl
from qkeras import QActivation, quantized_relu, quantized_tanh, ternary

from benchmarks.recorder.items import Recording
from benchmarks.recorder.models import (
    bits,
    both_ways,
    chain,
    classifier,
    dense,
    float_model,
    frames,
    int4_classifier,
    layers_after,
    learned,
    lstm,
    merges,
    mixed,
    nested,
    normalized,
    projected,
    smooth,
    softmax,
    stacked,
    ternary_classifier,
    two_inputs,
)

TEXTS = ("README.md", "csrc/config.h", "design.json", "manifest.json", "build.log", "provenance.json")
"""Files of a project or design folder that are recorded as texts or values; of the others, only the digests."""
PROVENANCE = {"accuracy": {"dense": 0.5}, "seeds": {"train": 1}, "versions": {"numpy": "0"}, "masks": {}}
PACKETS = Path(__file__).with_name("packets.py")
SHORT = 16
"""Most words of an answer that is recorded in full; of a longer one, a digest and the trailer."""
TIMEOUT = 120


@dataclass(frozen=True)
class RecordedCase:
    """A model and its conversion.

    Attributes:
        build: makes the model.
        model: keys of hls_config["Model"]; {"none": True} converts without a configuration.
        layers: settings by layer name, for hls_config["LayerName"].
        arguments: further keyword arguments of the conversion.
        masked: whether some frames of its input are zero.
        built: whether `ese4ml build` makes a design folder, which is then checked, run and sent packets.
        predicted: whether the plugin compiles, predicts and traces.
    """

    build: Callable[[], Any]
    model: dict[str, Any] = field(default_factory=dict)
    layers: dict[str, dict[str, Any]] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)
    masked: bool = False
    built: bool = True
    predicted: bool = False


def plugin(build: Callable[[], Any], masked: bool = False, **model: Any) -> RecordedCase:
    """A case that only the plugin compiles and runs; keyword arguments are keys of hls_config["Model"]."""
    return RecordedCase(build, model, masked=masked, built=False, predicted=True)


def wide(width: int) -> Callable[[], Any]:
    """A function that makes a classifier with kernels of this many bits."""
    return lambda: classifier(lambda: bits(width, 1))


SKIP: dict[str, Any] = {"Mode": "skip", "FifoDepth": 4}
DELTAS = {"lstm": {"DeltaInput": 0.3, "DeltaState": 0.1}}
PRECISIONS = {
    "x": {"Precision": {"result": "fixed<12,4>"}},
    "lstm": {"Precision": {"state": "fixed<16,4>", "result": "fixed<10,2>", "weight": "fixed<8,1>"}},
    "hidden_tanh": {"Precision": {"result": "fixed<8,1>"}},
    "cut": {"Precision": {"result": "ufixed<9,3>"}},
}
CASES: dict[str, RecordedCase] = {
    **{f"ternary-{pes}": RecordedCase(ternary_classifier, {"PEs": pes}, predicted=pes == 3) for pes in (1, 3, 8, 16)},
    **{f"int4-{pes}": RecordedCase(int4_classifier, {"PEs": pes}) for pes in (1, 3, 8, 16)},
    **{f"int{width}": RecordedCase(wide(width), {"PEs": 4}) for width in (8, 16)},
    "full-ternary": RecordedCase(ternary_classifier, {"PEs": 4, "Storage": "full"}),
    "full-int4": RecordedCase(int4_classifier, {"PEs": 3, "Storage": "full"}),
    "skip-ternary": RecordedCase(ternary_classifier, {"PEs": 2, **SKIP}),
    "skip-delta": RecordedCase(int4_classifier, {"PEs": 3, **SKIP}, DELTAS, predicted=True),
    "skip-full": RecordedCase(int4_classifier, {"PEs": 4, "Storage": "full", **SKIP, "FifoDepth": 1}),
    "codebook4": RecordedCase(lambda: learned("Codebook"), {"PEs": 5}),
    "ttq": RecordedCase(lambda: learned("Ttq"), {"PEs": 4}),
    "projected": RecordedCase(projected, {"PEs": 4}),
    "stacked": RecordedCase(stacked, {"PEs": 3, "AccBanks": 2}, predicted=True),
    "both-ways": RecordedCase(
        lambda: both_ways("concat", dense(units=3), return_sequences=True), {"PEs": 4}, predicted=True
    ),
    "masked": RecordedCase(
        lambda: layers_after(kl.Masking(0.0, name="mask"), lstm(), dense()), {"PEs": 2}, masked=True
    ),
    "two-inputs": RecordedCase(two_inputs, {"PEs": 4}, predicted=True),
    "merges": RecordedCase(merges, {"PEs": 2}),
    "float": RecordedCase(float_model, {"PEs": 4}),
    "dense-alone": RecordedCase(
        lambda: chain(dense("a", 9, activation=quantized_relu(6, 3)), dense("b", 4), softmax(), shape=(12,)),
        {"PEs": 6, "AccBanks": 4, "CellsPerCycle": 1}, arguments={"board": "zcu104", "clock_period": 5},
    ),
    # without `ese4ml build`
    "mixed": plugin(mixed, PEs=4),
    "int12": plugin(wide(12)),
    "sparse, short gaps": plugin(int4_classifier, PEs=3, Storage="sparse", GapBits=2),
    "ttq of one scale": plugin(lambda: learned("Ttq", per_channel=False)),
    "twn": plugin(lambda: learned("Twn")),
    "projected, no peepholes": plugin(lambda: projected(use_peepholes=False, output_quantizer=None), **SKIP),
    "float, layer by layer": RecordedCase(float_model, {"PEs": 2}, PRECISIONS, built=False, predicted=True),
    "no configuration": RecordedCase(float_model, {"none": True}, built=False, predicted=True),
    "both ways, sum": plugin(lambda: both_ways("sum")),
    "both ways, apart": plugin(lambda: both_ways(None, return_sequences=True)),
    "both ways, masked": plugin(lambda: both_ways("mul", masked=True, return_sequences=True), masked=True),
    "masked, every step": plugin(
        lambda: layers_after(kl.Masking(0.0, name="mask"), lstm(units=6, return_sequences=True), dense()), masked=True,
    ),
    "backwards": plugin(lambda: chain(lstm(go_backwards=True, return_sequences=True), dense())),
    "normalized": plugin(normalized, PEs=1),
    "nested": plugin(nested, PEs=2),
    "repeated": plugin(
        lambda: layers_after(lstm(), kl.RepeatVector(4, name="r"), lstm("m", 6, return_sequences=True), dense())
    ),
    "reshaped": plugin(lambda: layers_after(kl.Reshape((3, 14), name="r"), kl.Flatten(name="f"), dense())),
    "activations between": plugin(
        lambda: layers_after(
            dense("a", 5), QActivation(quantized_tanh(8), name="t"), dense("b", 9, kernel=lambda: ternary(alpha=0.5)),
            QActivation(ternary(threshold=0.2), name="three"), dense("c", 4, activation="sigmoid"), shape=(7,),
        )
    ),
    "steps of any number": plugin(lambda: chain(lstm(**smooth()), dense(), shape=(None, 7)), PEs=2),
    "no layer for the engine": plugin(lambda: layers_after(kl.ReLU(name="r"), shape=(7,))),
    "wider than needed": plugin(ternary_classifier, WeightCode="int8", Board="kv260", ClockMHz=200),
}  # fmt: skip


def convert(model: Any, folder: Path, case: RecordedCase) -> Any:
    """Convert a model by hls4ml with backend ESE, as a user does.

    Args:
        model: the Keras model.
        folder: folder of the project.
        case: gives configuration and arguments.
    """
    import hls4ml

    options: dict[str, Any] = {"backend": "ESE", "output_dir": str(folder), **case.arguments}
    if "none" not in case.model:
        config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend="ESE")
        config["Model"].update(case.model)
        for name, settings in case.layers.items():
            config["LayerName"].setdefault(name, {}).update(settings)
        options["hls_config"] = config
    return hls4ml.converters.convert_from_keras_model(model, **options)


def all_cases(record: Recording) -> None:
    """Record all items of all cases."""
    for name, case in CASES.items():
        one_case(record, name, case)


def one_case(record: Recording, name: str, case: RecordedCase) -> None:
    """Record all items of one case. A failure is recorded, and ends the case.

    Args:
        record: where items are added.
        name: of the case.
        case: the model and its conversion.
    """
    model = record.attempt(f"{name}: model", case.build)
    if model is None:
        return
    x = frames(model, masked=case.masked)
    expected = model(x if len(x) > 1 else x[0])
    expected = [np.asarray(array) for array in (expected if isinstance(expected, list) else [expected])]
    record.arrays(f"{name}: Keras", expected)
    files = record.work / "files" / name.replace(" ", "-")
    files.mkdir(parents=True)
    first = expected[0]
    whole = [array if array.ndim == 3 else array[:, None] for array in x]
    arrays = {"inputs": whole[0]} if len(x) == 1 else {f"inputs_{number}": a for number, a in enumerate(whole)}
    if first.ndim == 2:
        arrays |= {"labels": first.argmax(axis=1), "keras_predictions": first}
    np.savez(files / "testset.npz", **arrays)
    (files / "provenance.json").write_text(json.dumps(PROVENANCE, indent=1), encoding="utf-8")
    given = {path.name: path for path in files.iterdir()}
    project = record.work / "projects" / files.name
    case = replace(case, arguments={**case.arguments, "files": given})
    graph = record.attempt(f"{name}: convert", lambda: convert(model, project, case))
    if graph is None or record.attempt(f"{name}: write", lambda: (graph.write(), True)) is None:
        return
    record.add(f"{name}: summary", "text", text=record.text(str(graph)))
    record.folder(f"{name}: project", project, TEXTS)
    if case.predicted:
        _predict(record, name, graph, x)
    if case.built:
        _build(record, name, project)


def _predict(record: Recording, name: str, graph: Any, x: list[Any]) -> None:
    given = x if len(x) > 1 else x[0]
    if record.attempt(f"{name}: compile", lambda: (graph.compile(), True)) is None:
        return
    for what in ("predict", "trace"):
        outputs = record.attempt(f"{name}: {what}", partial(getattr(graph, what), given))
        if outputs is not None:
            record.arrays(f"{name}: {what}ed", outputs)


def _build(record: Recording, name: str, project: Path) -> None:
    folder = record.work / "designs" / project.name
    place, out = (path.relative_to(record.work).as_posix() for path in (project, folder))
    if record.command(f"{name}: build", "build", place, "--out", out, "--json"):
        return
    record.folder(f"{name}: design", folder, TEXTS)
    record.command(f"{name}: info", "info", out)
    record.command(f"{name}: run", "run", out, "--json")
    report = f"reports/{project.name}"
    record.command(f"{name}: check", "check", out, "--report", report)
    for file in ("report.json", "report.html"):
        if (record.work / report / file).is_file():
            record.file(f"{name}: {file}", record.work / report / file)
    record.command(f"{name}: estimate", "estimate", "image", out, "--json", "--steps", "6")
    packets(record, name, folder / "design.bit", project)


def packets(record: Recording, name: str, library: Path, project: Path) -> None:
    """Record one item for each packet that is sent to an emulated bitstream.

    Args:
        record: where items are added.
        name: of the case.
        library: the emulated bitstream.
        project: folder of the project, with images and test vectors.
    """
    call = [sys.executable, str(PACKETS), str(library), str(project)]
    done = subprocess.run(call, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    if done.returncode:
        record.add(f"{name}: packets", "packet", exit=done.returncode, error=done.stderr.strip().splitlines()[-1:])
        return
    for packet, result in json.loads(done.stdout).items():
        words = " ".join(f"{word:08x}" for word in result["answer"])
        if len(result["answer"]) > SHORT:
            words = f"sha256 {hashlib.sha256(words.encode()).hexdigest()}, trailer {words[-80:]}"
        registers = " ".join(f"{word:08x}" for word in result["registers"])
        record.add(f"{name}: packet: {packet}", "packet", words=result["words"], answer=words, registers=registers)
