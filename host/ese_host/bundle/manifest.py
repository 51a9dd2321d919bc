# SPDX-License-Identifier: Apache-2.0
"""bitstreams/<design>/manifest.json: the contents of a design folder, checked before any of its files is used."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ese_host.boards import load_board
from ese_host.decoding import MAX_BYTES as MAX_DECODER
from ese_host.errors import FormatError, MismatchError
from ese_host.files import decode, write_file
from ese_host.image import FORMAT_VERSION, Design
from ese_host.interface import MAX_BYTES as MAX_INTERFACE

VERSION = 2
NAME = "manifest.json"
MAX_IMAGES = 256
MAX_WARNINGS, MAX_WARNING = 1000, 2000
"""Most warnings, and most characters of one."""
ADVICE = "build the design again"
BIT, HWH, IMAGE, GOLDEN = "design.bit", "design.hwh", "image.bin", "golden.npz"
TESTSET, PROVENANCE, INTERFACE = "testset.npz", "provenance.json", "interface.json"
DECODER = "decoder.json"
REQUIRED = (BIT, HWH, IMAGE, GOLDEN)
"""Files without which a folder cannot run; only `ese4ml check` needs the test set and the provenance."""

MAX_MANIFEST_BYTES = 1 << 20
MAX_BYTES = {
    BIT: 1 << 28,
    HWH: 1 << 25,
    IMAGE: 1 << 26,
    PROVENANCE: 1 << 22,
    INTERFACE: MAX_INTERFACE,
    DECODER: MAX_DECODER,
}
MAX_OTHER_BYTES = 1 << 30

Kind = Literal["emulated", "bitstream"]
FlowName = Literal["hls", "rtl"]
"""Of what an engine is made: "hls" of the HLS C++, "rtl" of the RTL in Amaranth."""


@dataclass(frozen=True)
class _ManifestFile:
    """The fields of manifest.json, with ids as text. Lists that may be None are there only if they are not empty."""

    manifest: int
    kind: Kind
    design: dict[str, Any]
    design_id: str
    image_id: str
    model: str
    board: str
    part: str
    clock_mhz: int | float
    files: dict[str, str]
    tools: dict[str, str]
    further_images: list[str] | None = None
    warnings: list[str] | None = None
    engine: FlowName | None = None  # absent: "hls", as in the folders of older releases


def image_name(number: int) -> str:
    """File name of the image of a program's chain, counted from 0: image.bin, image-1.bin, image-2.bin ..."""
    return IMAGE if number == 0 else f"image-{number}.bin"


@dataclass(frozen=True)
class Manifest:
    """The contents of manifest.json.

    Attributes:
        kind: "emulated" if design.bit is a shared library, "bitstream" if Vivado made it.
        design: every parameter that is fixed at synthesis.
        image_id: id of image.bin.
        model: `model_digest` of the golden model and the images, made when they were emitted from one model.
        board: name of the board that the design is built for.
        part: AMD's name of the FPGA on that board.
        clock_mhz: clock of the engine in MHz.
        files: {name: SHA-256 in lower-case hexadecimal} of every file in the folder.
        tools: {name: version} of the tools that built the folder.
        further_images: ids of image-1.bin, image-2.bin and so on, one for each further chain of a program.
        warnings: sentences on what the conversion lost, or did not check.
        engine: of what design.bit is made. An emulated bitstream of RTL simulates every clock.

    Raises:
        FormatError: if a value is outside its range, a file name is not plain, or a required file is missing.
        MismatchError: if part or clock are not the board's and the design's.
        UnsupportedError: if the board is not known.
    """

    kind: Kind
    design: Design
    image_id: int
    model: str
    board: str
    part: str
    clock_mhz: float
    files: dict[str, str]
    tools: dict[str, str] = field(default_factory=dict)
    further_images: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()
    engine: FlowName = "hls"

    def __post_init__(self) -> None:
        for image_id in self.image_ids:
            if not 0 <= image_id < 1 << 32:
                raise FormatError(f"manifest: image_id is {image_id}; expected an unsigned number of 32 bits")
        if len(self.image_ids) > MAX_IMAGES:
            raise FormatError(f"manifest: names {len(self.image_ids)} images; at most {MAX_IMAGES} are allowed")
        _check_digest("model", self.model)
        _check_warnings(self.warnings)
        for name, sha256 in self.files.items():
            _check_name(name)
            _check_digest(f"files[{name!r}]", sha256)
        self._check_target()
        required = [*REQUIRED, *(image_name(number + 1) for number in range(len(self.further_images)))]
        missing = [name for name in required if name not in self.files]
        if missing:
            raise FormatError(
                f"manifest: files lacks {', '.join(missing)}; found {sorted(self.files)}: build the design again"
            )

    def _check_target(self) -> None:
        """Refuse a board, part or clock that the engine cannot have been built for."""
        board = load_board(self.board)
        if self.part != board.part:
            raise MismatchError(f"manifest: part is {self.part!r}; {self.board} has {board.part!r}: {ADVICE}")
        if self.clock_mhz != self.design.clock_mhz:
            raise MismatchError(
                f"manifest: clock_mhz is {self.clock_mhz}; its design's is {self.design.clock_mhz}: {ADVICE}"
            )
        if not 1 <= self.clock_mhz <= board.max_clock_mhz:
            raise MismatchError(
                f"manifest: clock_mhz is {self.clock_mhz}; {self.board} takes 1 to {board.max_clock_mhz}: "
                "emit with another --clock-mhz"
            )

    @property
    def image_ids(self) -> tuple[int, ...]:
        """Ids of all images, one for each chain."""
        return self.image_id, *self.further_images

    def to_json(self) -> dict[str, Any]:
        """Plain values, as they are written to the file."""
        lists = {
            "further_images": [f"{number:#010x}" for number in self.further_images],
            "warnings": list(self.warnings),
        }
        return {
            "manifest": VERSION,
            "kind": self.kind,
            "design": self.design.to_json(),
            "design_id": f"{self.design.design_id:#010x}",
            "image_id": f"{self.image_id:#010x}",
            "model": self.model,
            "board": self.board,
            "part": self.part,
            "clock_mhz": self.clock_mhz,
            "files": self.files,
            "tools": self.tools,
            **{name: items for name, items in lists.items() if items},
            **({} if self.engine == "hls" else {"engine": self.engine}),
        }

    @classmethod
    def from_json(cls, value: Any) -> Manifest:
        """Read the plain values of a manifest, the inverse of `to_json`.

        Raises:
            FormatError: if a field is missing, unknown, or has the wrong type or form, or if the design is for an older
                version of images.
            MismatchError: if design_id is not the id of the design, or part or clock are not the board's and the
                design's.
            UnsupportedError: if the board is not known.
        """
        version = value.get("manifest") if isinstance(value, dict) else None
        if type(version) is int and version != VERSION:
            raise FormatError(
                f"manifest: version is {version}; expected {VERSION}: {ADVICE} with this version of ese4ml"
            )
        fields = decode(_ManifestFile, value, "manifest", ADVICE)
        for name, items in (("further_images", "ids"), ("warnings", "sentences")):
            if getattr(fields, name) == []:
                raise FormatError(f"manifest: {name} is []; expected a list of {items}, or no such field")
        design = Design.from_json(fields.design)
        design_id = _hexadecimal("design_id", fields.design_id)
        for older in range(1, FORMAT_VERSION):
            if design_id == design.design_id_of(older):
                raise FormatError(
                    f"manifest: the design is for images of version {older}; this version of ese4ml has images of "
                    f"version {FORMAT_VERSION} only: {ADVICE} with this version of ese4ml"
                )
        if design_id != design.design_id:
            raise MismatchError(
                f"manifest: design_id is {design_id:#010x}; its design's is {design.design_id:#010x}: build it again"
            )
        return cls(
            fields.kind, design, _hexadecimal("image_id", fields.image_id), fields.model,
            fields.board, fields.part, fields.clock_mhz, fields.files, fields.tools,
            tuple(_hexadecimal("further_images", text) for text in fields.further_images or ()),
            tuple(fields.warnings or ()), fields.engine or "hls",
        )  # fmt: skip


def _hexadecimal(name: str, text: str) -> int:
    """Parse an id, which must have exactly the form in which `to_json` writes it."""
    if len(text) != 10 or not text.startswith("0x") or set(text[2:]) - set("0123456789abcdef"):
        raise FormatError(f"manifest: {name} is {text!r}; expected 0x and eight lower-case hexadecimal digits")
    return int(text, 16)


def _check_digest(name: str, text: str) -> None:
    """Refuse what is no SHA-256 as this project writes it."""
    if len(text) != 64 or set(text) - set("0123456789abcdef"):
        raise FormatError(f"manifest: {name} is {text!r}; expected a SHA-256 in lower-case hexadecimal")


def _check_warnings(warnings: tuple[str, ...]) -> None:
    """Refuse what nobody could read."""
    if len(warnings) > MAX_WARNINGS:
        raise FormatError(f"manifest: has {len(warnings)} warnings; at most {MAX_WARNINGS} are allowed")
    for text in warnings:
        if not 0 < len(text) <= MAX_WARNING or not text.isprintable():
            raise FormatError(
                f"manifest: warnings has {text[:40]!r}, of {len(text)} characters; 1 to {MAX_WARNING} printable ones "
                "are expected"
            )


def _check_name(name: str) -> None:
    """Refuse every file name that could lead out of the folder."""
    plain = 0 < len(name) <= 100 and name.isprintable()
    if not plain or name.startswith(".") or set(name) & set('/\\:*?"<>|') or name == NAME:
        raise FormatError(
            f"manifest: files names {name!r}; expected a plain file name without separators or a leading dot"
        )


def write(folder: Path, manifest: Manifest) -> None:
    """Write manifest.json atomically, so that no reader sees a part of it."""
    text = json.dumps(manifest.to_json(), indent=2, sort_keys=True) + "\n"
    write_file(folder / NAME, text)
