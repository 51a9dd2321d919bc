"""Where an encoded network comes from: a design folder, an emitted project, or a Keras model by the hls extra."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ese_host.bundle import GOLDEN, IMAGE, NAME, Folder, description, golden_file, read_image
from ese_host.errors import MissingError
from ese_host.image import Design, Image


@dataclass(frozen=True, eq=False)
class Encoded:
    """A network as an image for a design; `weights` before pruning; `board`: what it was made for."""

    name: str
    image: Image
    design: Design
    weights: int
    board: str


def read_folder(folder: Path, other: Path | None = None) -> Encoded:
    """A design folder or an emitted project; `other`: another image of the design, of a network of the same sizes.

    Raises:
        MissingError: it is neither. FormatError, MismatchError, CapacityError: a file is not sound.
    """
    if (folder / NAME).is_file():
        opened = Folder.open(folder)
        design, board = opened.manifest.design, opened.manifest.board
        paths = opened.file(IMAGE), opened.file(GOLDEN)
    elif (folder / description.NAME).is_file():
        found = description.read(folder)
        design, board = found.design, found.board
        paths = folder / IMAGE, folder / GOLDEN
    else:
        raise MissingError(
            f"{folder}: holds neither {NAME} nor {description.NAME}; "
            "give a folder that `ese4ml build` or `ese4ml emit` made"
        )
    weights = golden_file.load_network(paths[1]).weights
    return Encoded(folder.resolve().name, read_image(other or paths[0], design), design, weights, board)


@contextlib.contextmanager
def emitted(emit: Callable[[list[str]], object], model: Path, options: Sequence[str]) -> Iterator[Encoded]:
    """A Keras model through the emitter, whose project lives as long as the context; its words go to standard error."""
    with tempfile.TemporaryDirectory(prefix="ese4ml-estimate-") as folder:
        with contextlib.redirect_stdout(sys.stderr):
            emit([str(model), "--out", f"{folder}/project", *options])
        yield read_folder(Path(folder) / "project")
