# SPDX-License-Identifier: Apache-2.0
"""Writes and opens emitted projects: folders with everything that g++, Vitis HLS, Vivado and Bambu need."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from ese_hls.flows import flow
from ese_hls.lower import Conversion
from ese_hls.project import vectors
from ese_host.boards import Board, block_design, load_board, processor
from ese_host.bundle import FlowName, description, golden_file, manifest, model_digest
from ese_host.errors import EseError, MissingError
from ese_host.files import templates, whole_folder
from ese_host.image import Design
from ese_host.protocol import Words

DESCRIPTION = description.NAME
"""Name of the file that describes a project, design.json."""
ATTACHMENTS = (manifest.INTERFACE, manifest.PROVENANCE, manifest.TESTSET, manifest.DECODER)
"""Files that a project may have besides those that every project has; a design folder gets them too."""
SCRIPTS = ("vivado_synth.tcl", "bitstream.tcl", "README.md")
"""Scripts and texts that every project has."""
HLS_SCRIPTS = ("build_prj.tcl", "project.tcl")
"""Scripts of projects whose core Vitis HLS makes of the C++."""
TOP = "ese_top"
PRJ = f"{TOP}_prj"
"""Folder of the Vitis HLS project; the report functions of hls4ml expect this name."""


@dataclass(frozen=True, eq=False)
class Project:
    """An emitted project.

    Attributes:
        path: its folder.
        design: the parameters of the engine.
        board: the board that the project is for.
        model: digest that ties its golden model and images, see `model_digest`.
        flow: of what its engine is made for a board: the HLS C++, or RTL.
        description: all fields of design.json.
    """

    path: Path
    design: Design
    board: Board
    model: str
    flow: FlowName
    description: dict[str, Any]

    @classmethod
    def open(cls, path: Path) -> Project:
        """Open a project by its design.json.

        Raises:
            MissingError: if the folder is not a project.
            FormatError: if design.json is not sound.
        """
        described = description.read(path)
        board = load_board(described.board)
        return cls(path, described.design, board, described.model, described.flow, described.fields)


def write_project(
    conversion: Conversion, target: Path, attachments: Mapping[str, Path | bytes] | None = None
) -> Project:
    """Write a project. If anything fails, no folder is left behind.

    Args:
        conversion: a converted model.
        target: folder of the project; an earlier project there is replaced.
        attachments: further files to copy, or contents to write, by their names in the project; see `ATTACHMENTS`.

    Raises:
        CapacityError: if a network does not fit the engine.
        UnsupportedError: if the engine cannot run a network, or the flow cannot make the engine.
        MismatchError: if `target` exists and is not a project.
        MissingError: if an attachment does not exist.
    """
    from ese_hls.encode import encoder

    board = load_board(conversion.options.board)
    program, design = conversion.program, conversion.mapping.design
    chains_and_memories = zip(program.chains, conversion.mapping.packed, strict=True)
    images = [encoder.image_of(chain.network, memories, design) for chain, memories in chains_and_memories]
    words = [_words(image) for image in images]
    chosen = conversion.options.flow
    own = {} if chosen == "hls" else flow(chosen).project_files(design, board)
    with whole_folder(target, DESCRIPTION) as folder:
        write_engine(folder, design)
        for number, image in enumerate(images):
            (folder / manifest.image_name(number)).write_bytes(image)
        golden = golden_file.dump(program)
        (folder / manifest.GOLDEN).write_bytes(golden)
        vectors.write(folder / "tb", [chain.network for chain in program.chains], words)
        for name, source in (attachments or {}).items():
            _attach(source, folder / name)
        described = _describe(conversion, design, board, words) | {"model": model_digest(golden, words)}
        for name, text in own.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        for name in (*SCRIPTS, *(HLS_SCRIPTS if chosen == "hls" else ())):
            text = templates(__package__).get_template(f"{name}.jinja").render(**_names(conversion, design, board))
            (folder / name).write_text(text, encoding="utf-8")
        (folder / DESCRIPTION).write_text(json.dumps(described, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return Project.open(target)


def is_written(conversion: Conversion, target: Path) -> bool:
    """Whether a folder holds the project of a conversion: its golden model, for its design and board."""
    try:
        project = Project.open(target)
        golden = (target / manifest.GOLDEN).read_bytes()
    except (EseError, OSError):
        return False
    options = conversion.options
    same = project.design == conversion.mapping.design and project.board.name == options.board
    return same and project.flow == options.flow and golden == golden_file.dump(conversion.program)


def _words(image: bytes) -> Words:
    return np.frombuffer(image, dtype="<u4").astype(np.uint32)


def write_engine(folder: Path, design: Design) -> None:
    """Write the C++ of a design's engine, and the arbitrary-precision types of hls4ml, which g++ needs.

    Raises:
        MissingError: if hls4ml is installed without these types.
    """
    import hls4ml

    from ese_hls.project import config_header

    source = Path(str(files("ese_hls"))) / "csrc"
    _copy_tree(source, folder / "csrc")
    types = Path(hls4ml.__file__).parent / "templates" / "vivado" / "ap_types"
    if not types.is_dir():
        raise MissingError(f"{types} does not exist; it is part of hls4ml 1.3: install hls4ml again")
    _copy_tree(types, folder / "ap_types")
    (folder / "csrc" / "config.h").write_text(config_header.render(design), encoding="utf-8")


def _copy_tree(source: Path, target: Path) -> None:
    """Copy the files of a folder, without hidden ones and config.h; the first that cannot be written ends it.

    `shutil.copytree` would go on, and then raise an error that does not tell what the operating system said.
    """
    target.mkdir()
    for item in sorted(source.iterdir()):
        if item.name.startswith(".") or item.name == "config.h":
            continue
        if item.is_dir():
            _copy_tree(item, target / item.name)
        else:
            shutil.copyfile(item, target / item.name)


def _attach(source: Path | bytes, target: Path) -> None:
    if isinstance(source, bytes):
        target.write_bytes(source)
        return
    if not source.is_file():
        raise MissingError(f"{source} does not exist, but was given to be copied into the project as {target.name}")
    shutil.copyfile(source, target)


def _describe(conversion: Conversion, design: Design, board: Board, images: list[Words]) -> dict[str, Any]:
    ids = [f"{int(image[-1]):#010x}" for image in images]
    return {
        "design": design.to_json(),
        "design_id": f"{design.design_id:#010x}",
        "image_id": ids[0],
        **({"further_images": ids[1:]} if ids[1:] else {}),
        **({} if conversion.options.flow == "hls" else {"flow": conversion.options.flow}),
        "board": board.name,
        "part": board.part,
        "clock_mhz": design.clock_mhz,
        "summary": conversion.summary.to_json(),
        "storage": [choice.to_json() for choice in conversion.mapping.choices],
    }


def _names(conversion: Conversion, design: Design, board: Board) -> dict[str, Any]:
    """The values that the templates use, by name."""
    return {
        "blocks": block_design.describe(board, design.clock_mhz),
        "board": board,
        "conversion": conversion,
        "design": design,
        "flow": conversion.options.flow,
        "period": f"{1000 / design.clock_mhz:.3f}",
        "ps": processor.processor_of(board.name),
        "system": processor.SYSTEM,
        "short_test": " ".join(f"tb/{name}" for name in vectors.SHORT),
        "prj": PRJ,
        "top": TOP,
    }
