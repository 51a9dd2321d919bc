"""bitstreams/<design>/manifest.json: what a design folder holds, checked before anything in it is used."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ese_host.errors import FormatError, MismatchError
from ese_host.files.atomic import write_file
from ese_host.image.design import Design

VERSION = 1
NAME = "manifest.json"
MAX_IMAGES = 256
BIT, HWH, IMAGE, GOLDEN = "design.bit", "design.hwh", "image.bin", "golden.npz"
TESTSET, PROVENANCE = "testset.npz", "provenance.json"
REQUIRED = (BIT, HWH, IMAGE, GOLDEN)
"""Files without which a folder cannot run; the test set and the provenance are needed by `check` alone."""

MAX_MANIFEST_BYTES = 1 << 20
MAX_BYTES = {BIT: 1 << 28, HWH: 1 << 26, IMAGE: 1 << 26, PROVENANCE: 1 << 24}
MAX_OTHER_BYTES = 1 << 30

Kind = Literal["emulated", "bitstream"]
_TYPES: dict[str, Any] = {
    "manifest": int,
    "kind": str,
    "design": dict,
    "design_id": str,
    "image_id": str,
    "board": str,
    "part": str,
    "clock_mhz": (int, float),
    "files": dict,
    "tools": dict,
}
_FURTHER = "further_images"
"""Only in the manifest of a program of several chains."""


def image_name(number: int) -> str:
    """File of a program's chain, counted from 0: image.bin, image-1.bin, image-2.bin ..."""
    return IMAGE if number == 0 else f"image-{number}.bin"


@dataclass(frozen=True)
class Manifest:
    """The contents of manifest.json.

    Attributes:
        kind: "emulated" (design.bit is a shared library) or "bitstream" (Vivado's).
        design: every number fixed at synthesis. image_id: the image in the folder.
        board, part, clock_mhz: what it is built for.
        files: {name: SHA-256 in hexadecimal}. tools: {name: version} of what built it.
        further_images: ids of image-1.bin, image-2.bin ..., a program's second, third ... chain.
    """

    kind: Kind
    design: Design
    image_id: int
    board: str
    part: str
    clock_mhz: float
    files: dict[str, str]
    tools: dict[str, str] = field(default_factory=dict)
    further_images: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in ("emulated", "bitstream"):
            raise FormatError(f"manifest: kind is {self.kind!r}; expected 'emulated' or 'bitstream'")
        for image_id in self.image_ids:
            if not 0 <= image_id < 1 << 32:
                raise FormatError(f"manifest: image_id is {image_id}; expected 32 bits")
        if len(self.image_ids) > MAX_IMAGES:
            raise FormatError(f"manifest: names {len(self.image_ids)} images; at most {MAX_IMAGES} are allowed")
        for name, found in self.files.items():
            _check_name(name)
            if not isinstance(found, str) or len(found) != 64 or set(found) - set("0123456789abcdef"):
                raise FormatError(
                    f"manifest: files[{name!r}] is {found!r}; expected a SHA-256 in lower-case hexadecimal"
                )
        needed = [*REQUIRED, *(image_name(number + 1) for number in range(len(self.further_images)))]
        missing = [name for name in needed if name not in self.files]
        if missing:
            raise FormatError(
                f"manifest: files lacks {', '.join(missing)}; found {sorted(self.files)}: build the design again"
            )
        for key, value in self.tools.items():
            if not isinstance(value, str):
                raise FormatError(f"manifest: tools[{key!r}] is {value!r}; expected text")

    @property
    def image_ids(self) -> tuple[int, ...]:
        """Ids of all images, a chain each."""
        return self.image_id, *self.further_images

    def to_json(self) -> dict[str, Any]:
        """Plain values, as they stand in the file."""
        further = {_FURTHER: [f"{number:#010x}" for number in self.further_images]} if self.further_images else {}
        return {
            "manifest": VERSION,
            "kind": self.kind,
            "design": self.design.to_json(),
            "design_id": f"{self.design.design_id:#010x}",
            "image_id": f"{self.image_id:#010x}",
            "board": self.board,
            "part": self.part,
            "clock_mhz": self.clock_mhz,
            "files": self.files,
            "tools": self.tools,
            **further,
        }

    @classmethod
    def from_json(cls, value: Any) -> Manifest:
        """Inverse of `to_json`, strict.

        Raises:
            FormatError: a field is missing, unknown or of the wrong form. MismatchError: design_id is not the design's.
        """
        if not isinstance(value, dict) or set(value) - {_FURTHER} != set(_TYPES):
            found = sorted(value) if isinstance(value, dict) else type(value).__name__
            raise FormatError(f"manifest has fields {found}; expected {sorted(_TYPES)}: build the design again")
        for name, types in _TYPES.items():
            if not isinstance(value[name], types) or isinstance(value[name], bool):
                raise FormatError(f"manifest: {name} is {value[name]!r}; expected {_words(types)}")
        if value["manifest"] != VERSION:
            raise FormatError(f"manifest: version is {value['manifest']}; expected {VERSION}: build the design again")
        design = Design.from_json(value["design"])
        found_id = _hexadecimal("design_id", value["design_id"])
        if found_id != design.design_id:
            raise MismatchError(
                f"manifest: design_id is {found_id:#010x}; its design's is {design.design_id:#010x}: build it again"
            )
        return cls(
            value["kind"], design, _hexadecimal("image_id", value["image_id"]),
            value["board"], value["part"], value["clock_mhz"], value["files"], value["tools"],
            _further(value.get(_FURTHER)),
        )  # fmt: skip


def _words(types: Any) -> str:
    names = types if isinstance(types, tuple) else (types,)
    return " or ".join({int: "an integer", str: "text", dict: "an object", float: "a number"}[kind] for kind in names)


def _further(value: Any) -> tuple[int, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not value or not all(isinstance(text, str) for text in value):
        raise FormatError(f"manifest: {_FURTHER} is {value!r}; expected a list of ids, or no such field")
    return tuple(_hexadecimal(_FURTHER, text) for text in value)


def _hexadecimal(name: str, text: str) -> int:
    if len(text) != 10 or not text.startswith("0x") or set(text[2:]) - set("0123456789abcdef"):
        raise FormatError(f"manifest: {name} is {text!r}; expected 0x and eight lower-case hexadecimal digits")
    return int(text, 16)


def _check_name(name: Any) -> None:
    """Refuse every name that could leave its folder."""
    plain = isinstance(name, str) and 0 < len(name) <= 100 and name.isprintable()
    if not plain or name.startswith(".") or set(name) & set('/\\:*?"<>|') or name == NAME:
        raise FormatError(
            f"manifest: files names {name!r}; expected a plain file name without separators or a leading dot"
        )


def write(folder: Path, manifest: Manifest) -> None:
    """Write manifest.json, whole or not at all."""
    text = json.dumps(manifest.to_json(), indent=2, sort_keys=True) + "\n"
    write_file(folder / NAME, text)
