"""bitstreams/<design>/manifest.json: what a design folder holds, checked before anything in it is used."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ese_host.errors import FormatError, MismatchError
from ese_host.files import decode, write_file
from ese_host.image import Design

VERSION = 1
NAME = "manifest.json"
MAX_IMAGES = 256
ADVICE = "build the design again"
BIT, HWH, IMAGE, GOLDEN = "design.bit", "design.hwh", "image.bin", "golden.npz"
TESTSET, PROVENANCE = "testset.npz", "provenance.json"
REQUIRED = (BIT, HWH, IMAGE, GOLDEN)
"""Files without which a folder cannot run; the test set and the provenance are needed by `check` alone."""

MAX_MANIFEST_BYTES = 1 << 20
MAX_BYTES = {BIT: 1 << 28, HWH: 1 << 26, IMAGE: 1 << 26, PROVENANCE: 1 << 24}
MAX_OTHER_BYTES = 1 << 30

Kind = Literal["emulated", "bitstream"]


@dataclass(frozen=True)
class _ManifestFile:
    """The fields of manifest.json, ids as text; `further_images` only for a program of several chains."""

    manifest: int
    kind: Kind
    design: dict[str, Any]
    design_id: str
    image_id: str
    board: str
    part: str
    clock_mhz: int | float
    files: dict[str, str]
    tools: dict[str, str]
    further_images: list[str] | None = None


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
        for image_id in self.image_ids:
            if not 0 <= image_id < 1 << 32:
                raise FormatError(f"manifest: image_id is {image_id}; expected 32 bits")
        if len(self.image_ids) > MAX_IMAGES:
            raise FormatError(f"manifest: names {len(self.image_ids)} images; at most {MAX_IMAGES} are allowed")
        for name, found in self.files.items():
            _check_name(name)
            if len(found) != 64 or set(found) - set("0123456789abcdef"):
                raise FormatError(
                    f"manifest: files[{name!r}] is {found!r}; expected a SHA-256 in lower-case hexadecimal"
                )
        needed = [*REQUIRED, *(image_name(number + 1) for number in range(len(self.further_images)))]
        missing = [name for name in needed if name not in self.files]
        if missing:
            raise FormatError(
                f"manifest: files lacks {', '.join(missing)}; found {sorted(self.files)}: build the design again"
            )

    @property
    def image_ids(self) -> tuple[int, ...]:
        """Ids of all images, a chain each."""
        return self.image_id, *self.further_images

    def to_json(self) -> dict[str, Any]:
        """Plain values, as they stand in the file."""
        further = (
            {"further_images": [f"{number:#010x}" for number in self.further_images]} if self.further_images else {}
        )
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
        found = decode(_ManifestFile, value, "manifest", ADVICE)
        if found.manifest != VERSION:
            raise FormatError(f"manifest: version is {found.manifest}; expected {VERSION}: {ADVICE}")
        if found.further_images == []:
            raise FormatError("manifest: further_images is []; expected a list of ids, or no such field")
        design = Design.from_json(found.design)
        design_id = _hexadecimal("design_id", found.design_id)
        if design_id != design.design_id:
            raise MismatchError(
                f"manifest: design_id is {design_id:#010x}; its design's is {design.design_id:#010x}: build it again"
            )
        return cls(
            found.kind, design, _hexadecimal("image_id", found.image_id),
            found.board, found.part, found.clock_mhz, found.files, found.tools,
            tuple(_hexadecimal("further_images", text) for text in found.further_images or ()),
        )  # fmt: skip


def _hexadecimal(name: str, text: str) -> int:
    if len(text) != 10 or not text.startswith("0x") or set(text[2:]) - set("0123456789abcdef"):
        raise FormatError(f"manifest: {name} is {text!r}; expected 0x and eight lower-case hexadecimal digits")
    return int(text, 16)


def _check_name(name: str) -> None:
    """Refuse every name that could leave its folder."""
    plain = 0 < len(name) <= 100 and name.isprintable()
    if not plain or name.startswith(".") or set(name) & set('/\\:*?"<>|') or name == NAME:
        raise FormatError(
            f"manifest: files names {name!r}; expected a plain file name without separators or a leading dot"
        )


def write(folder: Path, manifest: Manifest) -> None:
    """Write manifest.json, whole or not at all."""
    text = json.dumps(manifest.to_json(), indent=2, sort_keys=True) + "\n"
    write_file(folder / NAME, text)
