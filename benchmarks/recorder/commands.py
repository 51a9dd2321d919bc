# SPDX-License-Identifier: Apache-2.0
"""Commands whose output is recorded: help, estimates, saved models, data and a short training."""

from __future__ import annotations

import zipfile
from itertools import product
from pathlib import Path

from benchmarks.recorder.designs import TEXTS
from benchmarks.recorder.items import Recording, digest
from benchmarks.recorder.models import int4_classifier, ternary_classifier

COMMANDS = (
    "", "build", "check", "compress", "data", "dsd", "emit", "estimate", "estimate dense", "estimate image",
    "estimate lstm", "estimate model", "info", "pack", "report", "report compression", "run", "sensitivity", "study",
    "study list", "study measure", "study report", "study run", "train",
)  # fmt: skip
ESE = "lstm --inputs 153 --units 1024 --projection 512 --peepholes"
SMALL = "lstm --inputs 20 --units 32"
ESTIMATES = (
    *(f"{ESE} --weight-code {code} --pes {pes} --json" for code, pes in product(("ternary", "int4"), (32, 64, 128))),
    *(f"{SMALL} --weight-code {code} --pes 7 --json" for code in ("int8", "int12", "int16", "codebook4")),
    *(f"{SMALL} --masks {masks} --seed 3 --density 0.2 --pes 5" for masks in ("gap-aware", "pe-balanced", "magnitude")),
    *(f"lstm --inputs 64 --units 128 --board {board} --steps 50 --json" for board in ("pynq-z1", "kv260", "zcu104")),
    f"{ESE} --search",
    f"{ESE} --search --json --board zcu104 --clock-mhz 200",
    f"{ESE} --search --pes 48 --gap-bits 6 --json",
    f"{SMALL} --search --json --cells-per-cycle 1 --exact-output",
    f"{SMALL} --last-only --hard --acc-banks 4 --clock-mhz 77 --json",
    f"{SMALL} --density 0.1 --density 0.3 --json --steps 65535",
    f"{ESE} --density 0.1 --density 0.2 --density 0.3 --json",
    "lstm --inputs 100 --units 256 --density 0.02 --pes 16 --json",
    "lstm --inputs 4096 --units 4096 --json",
    "lstm --inputs 4096 --units 4096 --search",
    "lstm --inputs 1 --units 1 --pes 1 --density 1",
    "dense --inputs 600 --outputs 1000 --pes 32 --json",
    "dense --inputs 9216 --outputs 4096 --weight-code codebook4 --density 0.09",
    "dense --inputs 784 --outputs 100 --search --json --board ultra96-v2",
    "dense --inputs 30 --outputs 7 --masks magnitude --weight-code int8 --gap-bits 3 --exact-output --json",
)
EMITS = {
    "emit text": ("ternary.keras", "--pes", "3", "--storage", "full"),
    "emit skip": ("int4.keras", "--mode", "skip", "--fifo-depth", "4", "--gap-bits", "4", "--json"),
    "emit wide": (
        "ternary.keras", "--weight-code", "int12", "--board", "zcu104", "--clock-mhz", "200", "--acc-banks", "4",
        "--cells-per-cycle", "1", "--json",
    ),
}  # fmt: skip


def helps(record: Recording) -> None:
    """Record the help of every command, and the version."""
    for command in COMMANDS:
        record.command(f"help: {command or 'ese4ml'}", *command.split(), "--help", kind="help")
    record.command("version", "--version")


def estimates(record: Recording) -> None:
    """Record estimates by sizes, and of designs and projects made before."""
    for line in ESTIMATES:
        record.command(f"estimate {line}", "estimate", *line.split())
    for place in ("designs/int4-8", "designs/full-int4", "designs/skip-delta", "designs/both-ways", "projects/int4-3"):
        record.command(f"estimate image {place}", "estimate", "image", place, "--board", "ultra96-v2")
    other = ("--image", "designs/both-ways/image-1.bin", "--json", "--clock-mhz", "50")
    record.command("estimate another image", "estimate", "image", "designs/both-ways", *other)


def design_commands(record: Recording) -> None:
    """Record commands on designs made before: packed images, and options of run and check."""
    for name in ("int4-8", "full-ternary", "skip-delta", "both-ways", "codebook4"):
        packed = f"packed/{name}"
        record.command(f"pack {name}", "pack", f"designs/{name}", "--out", packed, "--json")
        record.folder(f"packed {name}", record.work / packed, TEXTS)
        record.command(f"check packed {name}", "check", packed, "--json", "--report", "reports/packed")
        record.command(f"report compression {name}", "report", "compression", f"designs/{name}")
    design = "designs/int4-8"
    record.command("pack text", "pack", design, "--out", "packed/text")
    record.command("info --json", "info", design, "--json")
    record.command("run text", "run", design)
    record.command("run --input", "run", design, "--input", "designs/ternary-8/testset.npz", "--json")
    record.command("run by the adapter", "run", design, "--driver", "adapter", "--json")
    record.command("check without trace", "check", design, "--no-trace", "--json", "--report", "reports/plain")
    record.command("check by the adapter", "check", design, "--driver", "adapter", "--json", "--report", "reports/a")
    record.command("study list", "study", "list")
    record.command("data of vowels", "data", "--json")
    record.command("data of digits", "data", "--task", "digits", "--json")


def saved_models(record: Recording) -> None:
    """Record `emit` and `estimate model` on models saved by Keras; two of the models stay for later commands."""
    ternary_classifier().save(record.work / "ternary.keras")
    int4_classifier().save(record.work / "int4.keras")
    for name, (model, *options) in EMITS.items():
        out = f"emitted/{name.replace(' ', '-')}"
        record.command(name, "emit", model, "--out", out, *options)
        record.folder(f"{name}: project", record.work / out, TEXTS)
    record.command("estimate model", "estimate", "model", "int4.keras", "--pes", "4", "--board", "pynq-z1", "--json")
    record.command("report compression of a model", "report", "compression", "ternary.keras", "--json")


def training(record: Recording) -> None:
    """Record a short training, a codebook, and the design made from it."""
    record.command("train", "train", "--out", "dense.keras", "--epochs", "1", "--units", "8", "--json")
    options = ("--weights", "codebook4", "--prune-epochs", "1", "--tune-epochs", "1", "--pes", "3", "--json")
    record.command("compress", "compress", "dense.keras", "--out", "book.keras", *options)
    record.command("sensitivity", "sensitivity", "dense.keras", "--densities", "0.5,0.1", "--split", "test", "--json")
    for name in ("dense", "book"):
        _saved(record, f"{name}.keras", record.work / f"{name}.keras")
        for file in (f"{name}.provenance.json", f"{name}.testset.npz"):
            _kept(record, file, record.work / file)
    record.command("emit trained", "emit", "book.keras", "--out", "emitted/book", "--json")
    record.folder("emitted trained", record.work / "emitted/book", TEXTS)
    record.command("build trained", "build", "emitted/book", "--out", "designs/book")
    record.folder("built trained", record.work / "designs/book", TEXTS)
    record.command("check trained", "check", "designs/book", "--report", "reports/book", "--json")
    record.command("run trained", "run", "designs/book", "--json")


def _saved(record: Recording, name: str, path: Path) -> None:
    """Record only the weights of a .keras file, because the rest holds dates and names of modules."""
    record.attempt(name, lambda: record.add(f"{name}: weights", "files", files=_members(path)))


def _members(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        return {"model.weights.h5": digest(archive.read("model.weights.h5"))}


def _kept(record: Recording, name: str, path: Path) -> None:
    if path.suffix == ".json":
        record.attempt(name, lambda: record.file(f"{name}: value", path))
    else:
        record.attempt(name, lambda: record.add(f"{name}: file", "files", files={name: digest(path.read_bytes())}))
