# SPDX-License-Identifier: Apache-2.0
"""A design folder bitstreams/<design>: its manifest and its files, each checked before it is used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ese_host.bundle.manifest import (
    ADVICE,
    IMAGE,
    MAX_BYTES,
    MAX_MANIFEST_BYTES,
    MAX_OTHER_BYTES,
    NAME,
    TESTSET,
    Manifest,
    image_name,
)
from ese_host.errors import FormatError, MismatchError, MissingError
from ese_host.files import Contents, digest_of_stream, json_text, open_plain
from ese_host.ir import shown

NO_TESTSET = (
    "convert the model again with test=(x, y), or with `ese4ml emit --test FILE.npz`, and build it; `ese4ml run "
    "--input` takes other samples"
)
"""Advice if there is no test set, which is made when a model is converted."""


@dataclass(frozen=True)
class Folder:
    """A design folder whose manifest has been read. Each file is checked when it is asked for."""

    path: Path
    manifest: Manifest

    def __repr__(self) -> str:
        manifest = self.manifest
        built = f"{manifest.design.weights} weights, {manifest.design.pes} PEs, {manifest.kind} for {manifest.board}"
        return f"<Folder {str(self.path)!r}: {built}>"

    @classmethod
    def open(cls, path: str | Path | Folder) -> Folder:
        """Read a folder's manifest, again if the folder was opened before.

        Raises:
            MissingError: if there is no manifest.
            FormatError: if `path` is no path, or the manifest is invalid, or no plain file in the folder.
            MismatchError: if its design id or clock is not its design's, or its part not its board's.
            UnsupportedError: if its board is not known.
        """
        try:
            path = path.path if isinstance(path, Folder) else Path(path)
        except TypeError as error:
            raise FormatError(f"the design folder is {shown(path)}; a path is expected") from error
        file = path / NAME
        with _open_inside(
            file, MAX_MANIFEST_BYTES, f"a design folder holds {NAME}: run `ese4ml build` first"
        ) as stream:
            text = stream.read()
        return cls(path, Manifest.from_json(json_text.parse(text, str(file), MAX_MANIFEST_BYTES, ADVICE)))

    def file(self, name: str) -> Contents:
        """The contents of one file, after its place, size and SHA-256 have been checked.

        Raises:
            MissingError: if the manifest names the file, but it cannot be read.
            FormatError: if the manifest does not name the file, or it is too large or no plain file in the folder.
            MismatchError: if the SHA-256 of its contents is not the one in the manifest.
        """
        with self._opened(name) as stream:
            contents = Contents(self.path / name, stream.read())
        self._require_digest(name, contents.sha256)
        return contents

    def check(self) -> None:
        """Check every file that the manifest names.

        Raises:
            EseError: the error of `file` for the first invalid file.
        """
        for name in self.manifest.files:
            with self._opened(name) as stream:
                actual = digest_of_stream(stream)
            self._require_digest(name, actual)

    @contextmanager
    def _opened(self, name: str) -> Iterator[BinaryIO]:
        """Context with an open file, after its place and size have been checked."""
        if name not in self.manifest.files:
            advice = NO_TESTSET if name == TESTSET else "build the folder again"
            raise FormatError(f"{self.path / NAME}: files lacks {name}; found {sorted(self.manifest.files)}: {advice}")
        images = {image_name(number) for number in range(len(self.manifest.image_ids))}
        limit = MAX_BYTES.get(IMAGE if name in images else name, MAX_OTHER_BYTES)
        with _open_inside(self.path / name, limit, "the manifest names it: copy the whole folder") as stream:
            yield stream

    def _require_digest(self, name: str, actual: str) -> None:
        expected = self.manifest.files[name]
        if actual != expected:
            raise MismatchError(
                f"{self.path / name}: SHA-256 is {actual}; the manifest says {expected}: copy or build the folder again"
            )


@contextmanager
def _open_inside(path: Path, limit: int, advice: str) -> Iterator[BinaryIO]:
    """Context with an open file of a folder.

    Args:
        path: the file.
        limit: most bytes that it may have.
        advice: advice at the end of the message if it cannot be read.

    Raises:
        MissingError: if it cannot be opened or read.
        FormatError: if it is too large or no plain file, or a link leads out of its folder.
    """
    try:
        real = path.resolve(strict=True)
        if real.parent != path.parent.resolve(strict=True) or not real.is_file():
            raise FormatError(
                f"{path}: leads to {real}; expected a plain file inside the folder: copy the file itself here"
            )
        with open_plain(path) as stream:
            state = os.fstat(stream.fileno())
            if not os.path.samestat(state, real.lstat()):
                raise FormatError(f"{path}: was exchanged while it was opened: try again when nobody writes there")
            if state.st_size > limit:
                raise FormatError(f"{path}: has {state.st_size} bytes; at most {limit} are allowed for {path.name}")
            yield stream
    except (OSError, RuntimeError, ValueError) as error:
        # Links in a circle are a RuntimeError before Python 3.13.
        reason = getattr(error, "strerror", None) or error
        raise MissingError(f"{path}: cannot be read ({reason}); {advice}") from error
