# SPDX-License-Identifier: Apache-2.0
"""Command lines that must be refused, and damaged folders, for the recorder."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.recorder.items import Recording

OPTIONS = Path(__file__).with_name("refused.txt")
"""File of the command lines that must be refused, one in each line."""
MANIFEST: dict[str, dict[str, Any]] = {
    "version": {"manifest": 2}, "version a truth": {"manifest": True}, "kind": {"kind": "real"},
    "kind of a board": {"kind": "bitstream"}, "design id": {"design_id": "0x00000000"},
    "design id in short": {"design_id": "12"}, "image id": {"image_id": "0x00000001"},
    "image id in capitals": {"image_id": "0xABCDEF01"}, "no design": {"design": {}},
    "clock in words": {"clock_mhz": "fast"},
    "clock below zero": {"clock_mhz": -1}, "another clock": {"clock_mhz": 33}, "no files": {"files": {}},
    "a file outside": {"files": {"../design.bit": "0" * 64}},
    "a file of the system": {"files": {"/etc/passwd": "0" * 64}},
    "a short digest": {"files": {"design.bit": "00"}}, "tools in numbers": {"tools": {"g++": 12}}, "more": {"more": 1},
    "no further images": {"further_images": []}, "further images in numbers": {"further_images": [1]},
    "a further image that is not there": {"further_images": ["0x00000007"]},
    "too many images": {"further_images": ["0x00000007"] * 256}, "board": {"board": "de10"}, "part": {"part": "xc7"},
}  # fmt: skip
"""Name of a damage -> fields of the manifest that it sets."""
TEXTS = {
    "empty": "", "a list": "[]", "half": "{", "null": "null", "twice the same": '{"manifest": 1, "manifest": 1}',
    "no number": '{"clock_mhz": NaN}', "deep": "[" * 100000, "zero": "\0", "long": " " * (1 << 21),
}  # fmt: skip
"""Name of a damage -> text in place of the manifest."""
PROVENANCE = ("[]", "{", "7", '{"seeds": []}', '{"accuracy": {"dense": "x"}}', '{"masks": {"a": {"b": {}}}}', "\xff")
"""Texts in place of provenance.json, none of which is a valid record."""
DESIGN_FIELDS = {
    "pes": 4, "gap_bits": 99, "mode": "skip", "weights": "int5", "acc_bits": 3, "vector_depth": 7, "entry_depth": "x",
    "full_phases": True, "clock_mhz": 0,
}  # fmt: skip
"""Fields of the manifest's design -> values that are not allowed, or do not fit the image."""
Change = Callable[[Path], Any]
"""Damages the folder that it is given."""


def options(record: Recording) -> None:
    """Record the answers to command lines that must be refused."""
    (record.work / "letter.keras").write_text("not ours", encoding="utf-8")
    for line in OPTIONS.read_text(encoding="utf-8").splitlines():
        record.command(f"refused line: {line}", *line.split())


class Damage:
    """Damages copies of a design folder, each in one way, and records how commands answer."""

    def __init__(self, record: Recording, design: str, place: str = "designs") -> None:
        self.record, self.design = record, design
        self.source = record.work / place / design

    def apply(self, name: str, change: Change, *commands: str, sealed: bool = True) -> None:
        """Damage a copy and run commands on it.

        Args:
            name: of the damage.
            change: damages the folder that it is given.
            commands: commands to run; only `check` if there is none.
            sealed: whether to correct the digests of the files in the manifest afterwards.
        """
        folder = self.record.work / "damaged" / self.design
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.source, folder)
        change(folder)
        if sealed:
            seal(folder)
        for command in commands or ("check",):
            words = [command, f"damaged/{self.design}"]
            if command == "estimate":
                words.insert(1, "image")
            if command == "check":
                words += ["--report", "reports/damaged"]
            self.record.command(f"damaged {self.design}: {name}: {command}", *words)

    def content(
        self, name: str, file: str, change: Callable[[bytes], bytes], *commands: str, sealed: bool = True
    ) -> None:
        """Damage one file of a copy.

        Args:
            name: of the damage.
            file: name of the file.
            change: returns the damaged content of the file.
            commands: commands to run; only `check` if there is none.
            sealed: whether to correct the digests of the files in the manifest afterwards.
        """

        def altered(folder: Path) -> None:
            (folder / file).write_bytes(change((folder / file).read_bytes()))

        self.apply(f"{file}: {name}", altered, *commands, sealed=sealed)

    def image(self, name: str, place: int, change: Callable[[int], int], *commands: str) -> None:
        """Change one word of the image of a copy, and correct its checksum, id and digest.

        Args:
            name: of the damage.
            place: number of the word; negative from the end.
            change: returns the changed word.
            commands: commands to run; only `check` if there is none.
        """

        def altered(folder: Path) -> None:
            words = np.fromfile(folder / "image.bin", "<u4")
            words[place] = change(int(words[place])) & 0xFFFFFFFF
            words[-1] = zlib.crc32(words[:-1].tobytes())
            words.tofile(folder / "image.bin")
            rewrite(folder / "manifest.json", {"image_id": f"{int(words[-1]):#010x}"})

        self.apply(f"image word {place}: {name}", altered, *commands)

    def arrays(self, name: str, file: str, change: Callable[[dict[str, Any]], Any], *commands: str) -> None:
        """Change the arrays of an .npz file of a copy.

        Args:
            name: of the damage.
            file: name of the file.
            change: changes the arrays by name in place.
            commands: commands to run; only `check` if there is none.
        """

        def altered(data: bytes) -> bytes:
            with np.load(io.BytesIO(data), allow_pickle=False) as archive:
                arrays = dict(archive)
            change(arrays)
            buffer = io.BytesIO()
            np.savez(buffer, **arrays)
            return buffer.getvalue()

        self.content(name, file, altered, *commands)


def rewrite(path: Path, fields: dict[str, Any]) -> None:
    """Set fields of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **fields}), encoding="utf-8")


def seal(folder: Path) -> None:
    """Correct the digests of the files in the manifest."""
    files = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    digests = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files if (folder / name).is_file()
    }
    rewrite(folder / "manifest.json", {"files": {**files, **digests}})


def _rewritten(fields: dict[str, Any]) -> Change:
    """A change that sets fields of the manifest."""
    return lambda folder: rewrite(folder / "manifest.json", fields)


def _without(file: str) -> Change:
    """A change that deletes a file."""
    return lambda folder: (folder / file).unlink()


def _linked(file: str) -> Change:
    """A change that puts a link in place of a file."""
    return lambda folder: _link(folder / file)


def _replaced_by(content: bytes) -> Callable[[bytes], bytes]:
    """A change of a file to this content."""
    return lambda _: content


def _with(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    """A change of some bytes of a file wherever they occur."""
    return lambda data: data.replace(old, new)


def _flipping(bit: int) -> Callable[[int], int]:
    """A change that flips one bit of a word."""
    return lambda word: word ^ (1 << bit)


def _updated(fields: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """A change that sets arrays of an .npz file."""
    return lambda arrays: arrays.update(fields)


def folders(record: Recording) -> None:
    """Record the answers to damaged design folders and projects."""
    damage = Damage(record, "int4-3")
    for name, fields in MANIFEST.items():
        damage.apply(f"manifest: {name}", _rewritten(fields), "info", sealed=False)
    for name, text in TEXTS.items():
        damage.content(f"text: {name}", "manifest.json", _replaced_by(text.encode()), "info", sealed=False)
    for name, value in DESIGN_FIELDS.items():
        damage.content(f"design: {name}", "manifest.json", partial(_design, name=name, value=value), "info")
    for file in ("design.bit", "design.hwh", "image.bin", "golden.npz", "testset.npz", "provenance.json"):
        damage.content("a bit flipped", file, lambda data: bytes([data[0] ^ 1]) + data[1:], "info", "run", sealed=False)
        damage.apply(f"{file}: not there", _without(file), "info", "check", sealed=False)
        damage.apply(f"{file}: a link", _linked(file), "check", sealed=False)
        if file != "design.bit":
            damage.content("half of it", file, lambda data: data[: len(data) // 2])
        damage.content("empty", file, lambda _: b"")
        damage.content("text", file, lambda _: b"not what it should be", "check", "estimate")
    _images(damage)
    _arrays(damage)
    for number, text in enumerate(PROVENANCE):
        damage.content(f"no provenance {number}", "provenance.json", _replaced_by(text.encode("latin-1")))
    for old, new in {"41E0": "41F0", "0x4": "0x5", 'VALUE="26"': 'VALUE="14"', "axi_dma:7.1": "axi_dma:9.9"}.items():
        damage.content(f"{old} for {new}", "design.hwh", _with(old.encode(), new.encode()))
    bit = (record.work / "designs" / "int4-8" / "design.bit").read_bytes()
    damage.content("another design's", "design.bit", lambda _: bit, "check", "run")
    several = Damage(record, "both-ways")
    several.apply("image-1: not there", lambda at: (at / "image-1.bin").unlink())
    several.content("a bit flipped", "image-1.bin", lambda data: data[:99] + bytes([data[99] ^ 4]) + data[100:])
    several.apply("images swapped", lambda at: _swap(at / "image.bin", at / "image-1.bin"), "check", "run")
    packed = Damage(record, "full-ternary", "packed")
    for part in range(8):
        packed.content(f"bit flipped in part {part}", "image.bin", partial(_flip, part=part), "run")
    packed.content("half of it", "image.bin", lambda data: data[: len(data) // 8 * 4], "run", "estimate")
    _projects(record)


def _images(damage: Damage) -> None:
    """Damage images: a wrong checksum or size, then one word at a time under a checksum that fits."""
    damage.content("checksum wrong", "image.bin", lambda data: data[:-1] + bytes([data[-1] ^ 1]), "run")
    damage.content("three bytes more", "image.bin", lambda data: data + b"abc", "run")
    damage.content("a word more", "image.bin", lambda data: data + b"abcd", "run")
    for place in range(16):
        damage.image("one more", place, lambda word: word + 1, "run")
        damage.image("all ones", place, lambda _: 0xFFFFFFFF, "run")
    for place in range(16, 30):
        damage.image("a bit flipped", place, _flipping(place % 32), "check")
    for place in (40, 60, 90, 130, -1100, -1030, -600, -2):
        damage.image("a bit flipped", place, lambda word: word ^ 1, "check")


def _arrays(damage: Damage) -> None:
    """Damage the contents of golden models and test sets, which stay valid .npz files."""
    golden, tests = "golden.npz", "testset.npz"
    for name, old, new in (
        ("another class", '"class": "Lstm"', '"class": "Path"'), ("a field in words", '"bits": 8', '"bits": "8"'),
        ("another number of bits", '"bits": 8', '"bits": 9'),
        ("a field more", '"class": "Dense"', '"x": 1, "class": "Dense"'),
        ("a field less", '"class": "Dense", ', ""), ("no JSON", "{", "["),
    ):  # fmt: skip
        damage.arrays(name, golden, partial(_text, old=old, new=new))
    damage.arrays("no JSON at all", golden, lambda arrays: arrays.pop("json"))
    damage.arrays("an array less", golden, lambda arrays: arrays.pop(sorted(arrays)[0]))
    damage.arrays(
        "floats", golden, lambda arrays: arrays.update({k: v * 1.0 for k, v in arrays.items() if k != "json"})
    )
    damage.arrays("one weight more", golden, _one_more)
    damage.arrays("nothing", tests, lambda arrays: arrays.clear())
    for name, fields in {
        "another width": {"inputs": np.zeros((2, 3, 6))}, "two axes": {"inputs": np.zeros((2, 7))},
        "no samples": {"inputs": np.zeros((0, 3, 7))}, "NaN": {"inputs": np.full((24, 6, 7), np.nan)},
        "codes beyond the format": {"inputs": np.full((24, 6, 7), 1 << 20)},
        "inputs in words": {"inputs": np.array("x")},
        "labels of another number": {"labels": np.zeros(3, np.int64)}, "labels in halves": {"labels": np.full(24, 0.5)},
        "steps beyond": {"steps": np.full(24, 7)}, "steps of zero": {"steps": np.zeros(24, np.int64)},
        "predictions of another width": {"keras_predictions": np.zeros((24, 2))},
        "predictions in words": {"keras_predictions": np.full((24, 5), "x")},
    }.items():  # fmt: skip
        damage.arrays(name, tests, _updated(fields), "check")
    damage.arrays("fewer steps", tests, lambda arrays: arrays.update(steps=np.arange(24) % 6 + 1), "check", "run")
    damage.arrays("codes", tests, lambda arrays: arrays.update(inputs=np.full((24, 6, 7), 5)), "check", "run")


def _projects(record: Recording) -> None:
    """Damage emitted projects and record how `build` and `estimate` answer."""
    project = record.work / "projects" / "int4-3"
    changes: dict[str, Change] = {
        "design.json not there": lambda at: (at / "design.json").unlink(),
        "design.json empty": lambda at: (at / "design.json").write_text("{}", encoding="utf-8"),
        "design.json no JSON": lambda at: (at / "design.json").write_text("{", encoding="utf-8"),
        "another board": lambda at: rewrite(at / "design.json", {"board": "de10"}),
        "image not there": lambda at: (at / "image.bin").unlink(),
        "image half": lambda at: (at / "image.bin").write_bytes((at / "image.bin").read_bytes()[:1000]),
        "golden model not there": lambda at: (at / "golden.npz").unlink(),
        "a header not there": lambda at: (at / "csrc" / "config.h").unlink(),
        "a header of another language": lambda at: (at / "csrc" / "config.h").write_text(
            "import this", encoding="utf-8"
        ),
    }
    for name, change in changes.items():
        copy = record.work / "damaged" / "project"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(project, copy)
        change(copy)
        record.command(f"damaged project: {name}: build", "build", "damaged/project", "--out", "designs/damaged")
        record.command(f"damaged project: {name}: estimate", "estimate", "image", "damaged/project")


def _design(data: bytes, name: str, value: Any) -> bytes:
    manifest = json.loads(data)
    manifest["design"][name] = value
    return json.dumps(manifest).encode()


def _link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero" if path.name == "design.bit" else f"../../designs/int4-3/{path.name}")


def _swap(one: Path, other: Path) -> None:
    first = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(first)


def _flip(data: bytes, part: int) -> bytes:
    place = len(data) * part // 8
    changed = bytearray(data)
    changed[place] ^= 1 << part
    changed[-4:] = zlib.crc32(bytes(changed[:-4])).to_bytes(4, "little")
    return bytes(changed)


def _text(arrays: dict[str, Any], old: str, new: str) -> None:
    arrays["json"] = np.array(str(arrays["json"]).replace(old, new, 1))


def _one_more(arrays: dict[str, Any]) -> None:
    name = next(name for name in sorted(arrays) if name.endswith("bias"))
    arrays[name] = arrays[name].copy()
    arrays[name][0] += 64
