# SPDX-License-Identifier: Apache-2.0
"""interface.json: the inputs and outputs of a model, in a design folder (docs/reference/design-folder.md)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ese_host.errors import FormatError
from ese_host.files import Source, decode, encode, json_text
from ese_host.interface.model_interface import WAY_OUT, ModelInput, ModelInterface, ModelOutput

NAME = "interface"
VERSION = 1
MAX_BYTES = 1 << 22


@dataclass(frozen=True)
class _InterfaceFile:
    """The fields of interface.json."""

    version: int
    inputs: tuple[ModelInput, ...]
    outputs: tuple[ModelOutput, ...]
    structure: Any


def dump(interface: ModelInterface) -> bytes:
    """The bytes of interface.json. What an input or output does not have is left out."""
    fields = encode(_InterfaceFile(VERSION, interface.inputs, interface.outputs, interface.structure))
    for side in ("inputs", "outputs"):
        fields[side] = [{name: value for name, value in item.items() if value is not None} for item in fields[side]]
    return (json.dumps(fields, indent=1) + "\n").encode()


def read(path: Source) -> ModelInterface:
    """Read interface.json.

    Raises:
        OSError: if the file cannot be read.
        FormatError: if it is no interface of this version, or its parts do not fit each other.
    """
    value = json_text.read(path, MAX_BYTES, WAY_OUT)
    version = value.get("version") if isinstance(value, dict) else None
    if type(version) is int and version != VERSION:
        raise FormatError(f"{path}: version is {version}; expected {VERSION}: {WAY_OUT} with this version of ese4ml")
    try:
        fields = decode(_InterfaceFile, value, NAME, WAY_OUT)
        return ModelInterface(fields.inputs, fields.outputs, fields.structure)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error
