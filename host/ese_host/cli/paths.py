# SPDX-License-Identifier: Apache-2.0
"""Parameter types of paths that are judged while the command line is read, before anything slow is imported."""

from __future__ import annotations

import errno
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import click

from ese_host.errors import FormatError, MissingError


class ModelFile(click.Path):
    """A file that holds a Keras model.

    Args:
        advice: how to get such a file, for the message if there is none.
        folder: whether a folder is accepted too; the command then says what it must hold.
    """

    def __init__(self, advice: str, folder: bool = False) -> None:
        super().__init__(dir_okay=folder, path_type=Path)
        self.advice = advice

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, if there is a file that Keras may be able to read.

        Args:
            value: the text on the command line, or the option's default.
            param: the option or argument.
            ctx: the command's context.

        Raises:
            MissingError: if there is no such file.
            FormatError: if a .keras file is not the archive that it must be.
        """
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if path.is_dir():
            return path
        if not path.is_file():
            raise MissingError(f"{path} is not there; {self.advice}")
        if path.suffix == ".keras" and not zipfile.is_zipfile(path):
            raise FormatError(
                f"{path} cannot be read as a Keras model: it is no ZIP archive, as .keras files are; save it again"
            )
        return path


class WritablePath(click.Path):
    """A file or folder to write; that it can be written is tried with a temporary file in the folder above it.

    Args:
        suffixes: endings that a file may have; none for any.
        folder: whether a folder is written, not a file.
    """

    def __init__(self, *suffixes: str, folder: bool = False) -> None:
        super().__init__(file_okay=not folder, dir_okay=folder, path_type=Path)
        self.suffixes = suffixes

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, if it ends as it must and can be written.

        Args:
            value: the text on the command line, or the option's default.
            param: the option or argument.
            ctx: the command's context.

        Raises:
            FormatError: if the ending is another.
            OSError: if the path cannot be written.
        """
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if self.suffixes and path.suffix not in self.suffixes:
            raise FormatError(f"{path} ends in {path.suffix!r}; {' or '.join(self.suffixes)} is allowed")
        above = next(folder for folder in path.absolute().parents if folder.exists())
        if not above.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(above))
        try:
            with tempfile.TemporaryFile(dir=above):
                pass
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error
        return path


MODEL_FILE = ModelFile("make it with `ese4ml train` or `ese4ml compress`, or name a .keras file")
MODEL_OR_FOLDER = ModelFile("name a .keras file or a folder that `ese4ml build` made", folder=True)
NEW_MODEL = WritablePath(".keras")
NEW_FOLDER = WritablePath(folder=True)
INPUT_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
"""A file to read."""
