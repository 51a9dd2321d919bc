"""design.json: what an emitted project is of, read by the builds and by the estimate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ese_host.errors import FormatError, MissingError
from ese_host.files import KeepsUnknown, decode, json_text
from ese_host.image import Design

NAME = "design.json"
MAX_BYTES = 1 << 26
ADVICE = "emit the project again"


@dataclass(frozen=True)
class _DescriptionFile(KeepsUnknown):
    """The fields that are looked at; the others are for people."""

    design: dict[str, Any]
    board: str


@dataclass(frozen=True)
class Description:
    """What an emitted project says of itself.

    Attributes:
        design: the engine's numbers. board: the name of what it is for. fields: all of design.json, plain values.
    """

    design: Design
    board: str
    fields: dict[str, Any]


def read(project: Path) -> Description:
    """Read the description in a project's folder.

    Raises:
        MissingError: the folder is no project. FormatError: the description is not sound.
    """
    file = project / NAME
    try:
        value = json_text.read(file, MAX_BYTES, ADVICE, finite=False)
    except OSError as error:
        raise MissingError(f"{file}: {error.strerror}; a project holds it: run `ese4ml emit` first") from error
    if not isinstance(value, dict) or not {"design", "board"} <= set(value):
        raise FormatError(f"{file}: has no design and board; {ADVICE}")
    found = decode(_DescriptionFile, value, str(file), ADVICE)
    return Description(Design.from_json(found.design), found.board, value)
