"""A design folder bitstreams/<design>: its manifest, and its files, each checked before it is used."""

from __future__ import annotations

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
    """A design folder whose manifest has been read; files are checked when asked for."""

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: Path) -> Folder:
        """Read a folder's manifest.

        Raises:
            MissingError: there is no manifest. FormatError, MismatchError: it is not sound.
        """
        file = path / NAME
        try:
            value = json_text.read(file, MAX_MANIFEST_BYTES, ADVICE)
        except OSError as error:
            raise MissingError(
                f"{file}: {error.strerror}; a design folder holds {NAME}: run `ese4ml build` first"
            ) from error
        return cls(path, Manifest.from_json(value))

    def file(self, name: str) -> Path:
        """Path of one file, after its place, size and SHA-256 have been checked.

        Raises:
            FormatError: not in the manifest, or too large. MismatchError: its contents are not the manifest's.
        """
        if name not in self.manifest.files:
            raise FormatError(f"{self.path / NAME}: files lacks {name}; found {sorted(self.manifest.files)}")
        path = self.path / name
        try:
            inside = path.resolve(strict=True).parent == self.path.resolve(strict=True)
            size = path.stat().st_size
        except (OSError, RuntimeError) as error:
            raise MissingError(
                f"{path}: cannot be read ({error}); the manifest names it: copy the whole folder"
            ) from error
        if not inside or not path.is_file():
            raise FormatError(f"{path}: leads to {path.resolve()}; expected a plain file inside the folder")
        images = {image_name(number) for number in range(len(self.manifest.image_ids))}
        limit = MAX_BYTES.get(IMAGE if name in images else name, MAX_OTHER_BYTES)
        if size > limit:
            raise FormatError(f"{path}: has {size} bytes; at most {limit} are allowed for {name}")
        found, expected = digest(path), self.manifest.files[name]
        if found != expected:
            raise MismatchError(
                f"{path}: SHA-256 is {found}; the manifest says {expected}: copy or build the folder again"
            )
        return path

    def check(self) -> None:
        """Check every file that the manifest names.

        Raises:
            EseError: as `file` does, for the first file that is not sound.
        """
        for name in self.manifest.files:
            self.file(name)
