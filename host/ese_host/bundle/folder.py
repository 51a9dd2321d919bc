"""A design folder bitstreams/<design>: its manifest and its files, each checked before it is used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ese_host.bundle.manifest import (
    ADVICE,
    IMAGE,
    MAX_BYTES,
    MAX_MANIFEST_BYTES,
    MAX_OTHER_BYTES,
    NAME,
    Manifest,
    image_name,
)
from ese_host.errors import FormatError, MismatchError, MissingError
from ese_host.files import digest, json_text


@dataclass(frozen=True)
class Folder:
    """A design folder whose manifest has been read. Each file is checked when it is asked for."""

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: Path) -> Folder:
        """Read a folder's manifest.

        Raises:
            MissingError: if there is no manifest.
            FormatError: if the manifest is invalid, or no plain file in the folder.
            MismatchError: if its design id or clock is not its design's, or its part not its board's.
            UnsupportedError: if its board is not known.
        """
        file = path / NAME
        with _readable(file, f"a design folder holds {NAME}: run `ese4ml build` first"):
            _size_inside(file)
            value = json_text.read(file, MAX_MANIFEST_BYTES, ADVICE)
        return cls(path, Manifest.from_json(value))

    def file(self, name: str) -> Path:
        """The path of one file, after its place, size and SHA-256 have been checked.

        Raises:
            MissingError: if the manifest names the file, but it cannot be read.
            FormatError: if the manifest does not name the file, or it is too large or no plain file in the folder.
            MismatchError: if the SHA-256 of its contents is not the one in the manifest.
        """
        if name not in self.manifest.files:
            raise FormatError(
                f"{self.path / NAME}: files lacks {name}; found {sorted(self.manifest.files)}: build the folder again"
            )
        path = self.path / name
        images = {image_name(number) for number in range(len(self.manifest.image_ids))}
        limit = MAX_BYTES.get(IMAGE if name in images else name, MAX_OTHER_BYTES)
        with _readable(path, "the manifest names it: copy the whole folder"):
            size = _size_inside(path)
            if size > limit:
                raise FormatError(f"{path}: has {size} bytes; at most {limit} are allowed for {name}")
            actual = digest(path)
        expected = self.manifest.files[name]
        if actual != expected:
            raise MismatchError(
                f"{path}: SHA-256 is {actual}; the manifest says {expected}: copy or build the folder again"
            )
        return path

    def check(self) -> None:
        """Check every file that the manifest names.

        Raises:
            EseError: the error of `file` for the first invalid file.
        """
        for name in self.manifest.files:
            self.file(name)


@contextmanager
def _readable(path: Path, advice: str) -> Iterator[None]:
    """Turn the errors of a file that cannot be read, or of links in a circle, into a `MissingError`."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MissingError(f"{path}: cannot be read ({reason}); {advice}") from error


def _size_inside(path: Path) -> int:
    """Bytes of a file.

    Raises:
        OSError: if it is not there.
        RuntimeError: if links lead in a circle, in Python before 3.13.
        FormatError: if it is no plain file, or a link leads out of its folder.
    """
    real = path.resolve(strict=True)
    if real.parent != path.parent.resolve(strict=True) or not real.is_file():
        raise FormatError(
            f"{path}: leads to {real}; expected a plain file inside the folder: copy the file itself here"
        )
    return real.stat().st_size
