# SPDX-License-Identifier: Apache-2.0
"""Reader of the .ts text format of the UCR and UEA time series archives, as far as this project's data use it.

A header of `@key value` lines ends with `@data`. Each further line is one series: its dimensions, separated by colons,
each a comma-separated list of values, and the class label at the end. Lines that begin with # are comments.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError


@dataclass(frozen=True)
class Series:
    """Labelled series of one file.

    Attributes:
        values: (steps, dimensions) of each series.
        labels: (series,) index of each label in `classes`.
        classes: names of the classes.
    """

    values: list[npt.NDArray[np.float64]]
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]


def read_ts(path: Path) -> Series:
    """Read the series of a .ts file with class labels.

    Raises:
        FormatError: if the file does not have this format; the message names the file, line and fault.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    header: dict[str, list[str]] = {}
    start = len(lines)
    for number, line in enumerate(lines):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if not words[0].startswith("@"):
            raise FormatError(f"{path.name} line {number + 1}: {line[:40]!r} is before @data, but is no @key line")
        if words[0].lower() == "@data":
            start = number + 1
            break
        header[words[0].lower()] = words[1:]
    label = header.get("@classlabel", [])
    if start == len(lines) or not label or label[0].lower() != "true":
        raise FormatError(
            f"{path.name} has no '@classLabel true' or no series after @data; is it a .ts file of this data set?"
        )
    if header.get("@timestamps", ["false"])[0].lower() != "false":
        raise FormatError(f"{path.name} has time stamps (@timeStamps true); only series without them can be read")
    classes = tuple(label[1:])
    values, labels = [], []
    for number, line in enumerate(lines[start:], start + 1):
        if line.strip() and not line.startswith("#"):
            series, name = _series(f"{path.name} line {number}", line.strip(), header.get("@dimensions"))
            if name not in classes:
                raise FormatError(f"{path.name} line {number}: class {name!r}; the header allows {', '.join(classes)}")
            values.append(series)
            labels.append(classes.index(name))
    return Series(values, np.array(labels, dtype=np.int64), classes)


def _series(where: str, line: str, dimensions: list[str] | None) -> tuple[npt.NDArray[np.float64], str]:
    """(steps, dimensions) values and class name of one line; `where` names the line in messages."""
    *parts, name = line.split(":")
    try:
        columns = [np.array(part.split(","), dtype=np.float64) for part in parts]
    except ValueError as error:
        raise FormatError(f"{where}: {error}") from error
    if not columns or len({len(column) for column in columns}) != 1:
        raise FormatError(
            f"{where}: dimensions have lengths {[len(column) for column in columns]}; equal lengths are expected"
        )
    if dimensions and len(columns) != int(dimensions[0]):
        raise FormatError(f"{where}: the series has {len(columns)} dimensions; the header says {dimensions[0]}")
    series = np.stack(columns, axis=1)
    if not np.isfinite(series).all():
        raise FormatError(f"{where}: a value is missing or not finite")
    return series, name
