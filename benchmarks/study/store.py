# SPDX-License-Identifier: Apache-2.0
"""The results folder, with a JSON file and a model for each cell. Files get their names when they are complete."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.study.cell import StudyCell
from ese_host.errors import FormatError, MissingError
from ese_host.files import write_by

FORMAT = 1
Record = dict[str, Any]


@dataclass(frozen=True)
class Store:
    """Results of cells in a folder.

    A cell is done when its JSON file exists. Its model, which cells that start from it need, is written before that.
    """

    folder: Path

    def json_path(self, cell: StudyCell) -> Path:
        """Path of the cell's result, <key>.json."""
        return self.folder / f"{cell.key}.json"

    def model_path(self, cell: StudyCell) -> Path:
        """Path of the cell's model, <key>.keras."""
        return self.folder / f"{cell.key}.keras"

    def checkpoint_path(self, cell: StudyCell) -> Path:
        """Path of the state from which an interrupted training goes on, <key>.checkpoint.npz."""
        return self.folder / f"{cell.key}.checkpoint.npz"

    def drop_checkpoints(self, cell: StudyCell) -> None:
        """Remove the states of a training that has finished."""
        for path in self.folder.glob(f"{cell.key}.checkpoint.*"):
            path.unlink()

    def posteriors_path(self, cell: StudyCell) -> Path:
        """Path of the cell's log-posteriors, <key>.posteriors.npz."""
        return self.folder / f"{cell.key}.posteriors.npz"

    def done(self, cell: StudyCell) -> bool:
        """Whether the cell has a result."""
        return self.json_path(cell).is_file()

    def read(self, cell: StudyCell) -> Record:
        """Result of a cell.

        Raises:
            MissingError: if it has none yet.
            FormatError: if the file is not the result of this cell.
        """
        path = self.json_path(cell)
        if not path.is_file():
            raise MissingError(f"{path.name} is not in {self.folder}; `ese4ml study run` makes it")
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise FormatError(f"{path} is not JSON: {error}; remove it and run the study again") from error
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            version = record.get("format") if isinstance(record, dict) else record
            raise FormatError(f"{path} has format {version!r}; expected {FORMAT}: remove it and run the study again")
        if StudyCell.from_json(record["cell"]) != cell:
            raise FormatError(f"{path} is the result of another cell; remove it and run the study again")
        return record

    def found(self, cells: list[StudyCell]) -> dict[StudyCell, Record]:
        """Results of the cells that have one."""
        return {cell: self.read(cell) for cell in cells if self.done(cell)}

    def write(self, cell: StudyCell, values: Record) -> Record:
        """Write a cell's result and return the whole record."""
        record = {"format": FORMAT, "key": cell.key, "cell": cell.to_json(), **values}
        self.place(
            self.json_path(cell), lambda path: path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        )
        return record

    def place(self, path: Path, write: Callable[[Path], Any]) -> None:
        """Let `write` make a file with the suffix of `path` beside it, then rename the file to `path`."""
        write_by(path, write)
