"""The emitted project: everything that g++, Vitis HLS and Vivado need, in one folder."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from ese_hls.lower import Conversion
from ese_hls.project import vectors
from ese_host.boards import Board, block_design, load_board, processor
from ese_host.bundle import description, golden_file, manifest
from ese_host.errors import MissingError
from ese_host.files import templates, whole_folder
from ese_host.image import Design
from ese_host.protocol import Words

DESCRIPTION = description.NAME
ATTACHMENTS = (manifest.PROVENANCE, manifest.TESTSET)
SCRIPTS = ("build_prj.tcl", "vivado_synth.tcl", "bitstream.tcl", "project.tcl", "README.md")
TOP = "ese_top"
PRJ = f"{TOP}_prj"
"""The Vitis HLS project's folder, named as hls4ml's report functions look for it."""


@dataclass(frozen=True, eq=False)
class Project:
    """An emitted project, read back.

    Attributes:
        path: its folder. design: the engine's numbers. board: what it is for. description: all of design.json.
    """

    path: Path
    design: Design
    board: Board
    description: dict[str, Any]

    @classmethod
    def open(cls, path: Path) -> Project:
        """Read design.json.

        Raises:
            MissingError: the folder is no project. FormatError: design.json is not sound.
        """
        found = description.read(path)
        return cls(path, found.design, load_board(found.board), found.fields)


def write_project(conversion: Conversion, target: Path, attachments: dict[str, Path] | None = None) -> Project:
    """Emit a project; the folder appears whole or not at all.

    Args:
        conversion: a converted model.
        target: the folder; an earlier project there is replaced.
        attachments: further files, by the name they get (provenance.json, testset.npz).

    Raises:
        CapacityError, UnsupportedError: the network does not fit an engine.
        MismatchError: something else stands at `target`.
        MissingError: an attachment is not there.
    """
    from ese_hls.encode import encoder
    from ese_hls.project import config_header

    board = load_board(conversion.options.board)
    program, design = conversion.program, conversion.mapping.design
    filled = zip(program.chains, conversion.mapping.packed, strict=True)
    images = [encoder.image_of(chain.network, part, design) for chain, part in filled]
    words = [_words(image) for image in images]
    with whole_folder(target, DESCRIPTION) as folder:
        _copy_sources(folder)
        (folder / "csrc" / "config.h").write_text(config_header.render(design), encoding="utf-8")
        for number, image in enumerate(images):
            (folder / manifest.image_name(number)).write_bytes(image)
        (folder / manifest.GOLDEN).write_bytes(golden_file.dump(program))
        vectors.write(folder / "tb", [chain.network for chain in program.chains], words)
        for name, source in (attachments or {}).items():
            _attach(source, folder / name)
        described = _describe(conversion, design, board, words)
        for name in SCRIPTS:
            text = templates(__package__).get_template(f"{name}.jinja").render(**_names(conversion, design, board))
            (folder / name).write_text(text, encoding="utf-8")
        (folder / DESCRIPTION).write_text(json.dumps(described, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return Project.open(target)


def _words(image: bytes) -> Words:
    return np.frombuffer(image, dtype="<u4").astype(np.uint32)


def _copy_sources(folder: Path) -> None:
    """The engine's C++ as it is, and hls4ml's copy of the ap_ types for g++."""
    import hls4ml

    source = Path(str(files("ese_hls"))) / "csrc"
    shutil.copytree(source, folder / "csrc", ignore=shutil.ignore_patterns("config.h", ".*"))
    types = Path(hls4ml.__file__).parent / "templates" / "vivado" / "ap_types"
    if not types.is_dir():
        raise MissingError(f"{types} is not there; hls4ml 1.3 brings it: install hls4ml again")
    shutil.copytree(types, folder / "ap_types")


def _attach(source: Path, target: Path) -> None:
    if not source.is_file():
        raise MissingError(f"{source} is not there; it was to go into the project as {target.name}")
    shutil.copyfile(source, target)


def _describe(conversion: Conversion, design: Design, board: Board, images: list[Words]) -> dict[str, Any]:
    ids = [f"{int(image[-1]):#010x}" for image in images]
    return {
        "design": design.to_json(),
        "design_id": f"{design.design_id:#010x}",
        "image_id": ids[0],
        **({"further_images": ids[1:]} if ids[1:] else {}),
        "board": board.name,
        "part": board.part,
        "clock_mhz": design.clock_mhz,
        "summary": conversion.summary.to_json(),
        "storage": [choice.to_json() for choice in conversion.mapping.choices],
    }


def _names(conversion: Conversion, design: Design, board: Board) -> dict[str, Any]:
    """What the templates may use."""
    return {
        "blocks": block_design.describe(board, design.clock_mhz),
        "board": board,
        "conversion": conversion,
        "design": design,
        "period": f"{1000 / design.clock_mhz:.3f}",
        "ps": processor.processor_of(board.name),
        "prj": PRJ,
        "top": TOP,
    }
