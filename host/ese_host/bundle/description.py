# SPDX-License-Identifier: Apache-2.0
"""design.json: the description of an emitted project, read by the builds and by the estimate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ese_host.bundle.manifest import FlowName
from ese_host.errors import FormatError, MissingError
from ese_host.files import KeepsUnknown, decode, json_text
from ese_host.image import Design

NAME = "design.json"
MAX_BYTES = 1 << 26
ADVICE = "emit the project again"


@dataclass(frozen=True)
class _DescriptionFile(KeepsUnknown):
    """The fields that programs read; the others are there for people."""

    design: dict[str, Any]
    board: str
    model: str
    flow: FlowName | None = None  # absent: "hls"


@dataclass(frozen=True)
class Description:
    """The description of an emitted project.

    Attributes:
        design: the parameters of the engine.
        board: name of the board that the project is for.
        model: `model_digest` of its golden model and images.
        flow: of what its engine is made.
        fields: all fields of design.json, as plain values.
    """

    design: Design
    board: str
    model: str
    flow: FlowName
    fields: dict[str, Any]


def read(project: Path) -> Description:
    """Read the description in a project's folder.

    Raises:
        MissingError: if the folder has no design.json, so that it is no project.
        FormatError: if design.json is invalid.
    """
    file = project / NAME
    try:
        value = json_text.read(file, MAX_BYTES, ADVICE, finite=False)
    except OSError as error:
        raise MissingError(
            f"{file}: {error.strerror}; every emitted project has this file: run `ese4ml emit` first"
        ) from error
    if not isinstance(value, dict) or not {"design", "board", "model"} <= set(value):
        raise FormatError(f"{file}: lacks the field design, board or model; {ADVICE}")
    fields = decode(_DescriptionFile, value, str(file), ADVICE)
    return Description(Design.from_json(fields.design), fields.board, fields.model, fields.flow or "hls", value)
