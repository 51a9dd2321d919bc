# SPDX-License-Identifier: Apache-2.0
"""Reading an encoded network from a design folder, from an emitted project, or from a Keras model (hls extra)."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ese_host.bundle import GOLDEN, IMAGE, NAME, Folder, description, golden_file, read_image
from ese_host.errors import MissingError
from ese_host.files import Source
from ese_host.image import Design, Image, LayerSize, plan_step, sizes_of

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Encoded:
    """A network that is encoded for a design.

    Attributes:
        name: name of the folder that it was read from.
        image: the encoded network.
        design: the design that the image is for.
        layers: sizes of the network's layers by their names.
        board: name of the board that the design was made for.
    """

    name: str
    image: Image
    design: Design
    layers: Mapping[str, LayerSize]
    board: str

    @property
    def weights(self) -> int:
        """Number of weights before pruning."""
        return sum(matrix.weights for layer in self.layers.values() for matrix in layer.matrices())

    @property
    def step_weights(self) -> int:
        """Those of them in the matrices that run in every step; the others run at the end of a sequence only."""
        plan = plan_step(tuple(self.layers.values()))
        return sum(planned.matrix.weights for planned in plan.phases if not planned.phase.has("last_only"))


def read_folder(folder: Path, other: Path | None = None) -> Encoded:
    """Read the encoded network of a design folder or an emitted project.

    Args:
        folder: a design folder, or an emitted project.
        other: another image of the same design to read instead, of a network of the same sizes.

    Raises:
        MissingError: if the folder is neither.
        UnsupportedError: if the model is a program of more than one chain, or has steps on the host.
        FormatError: if a file cannot be read.
        MismatchError: if the files of the folder do not belong together.
        CapacityError: if the image does not fit the design.
    """
    if (folder / NAME).is_file():
        opened = Folder.open(folder)
        design, board = opened.manifest.design, opened.manifest.board
        image: Source = other or opened.file(IMAGE)
        golden: Source = opened.file(GOLDEN)
    elif (folder / description.NAME).is_file():
        project = description.read(folder)
        design, board = project.design, project.board
        image, golden = other or folder / IMAGE, folder / GOLDEN
    else:
        raise MissingError(
            f"{folder} holds neither {NAME} nor {description.NAME}; "
            "give a folder that `ese4ml build` or `ese4ml emit` made"
        )
    network = golden_file.load_network(golden)
    layers = {layer.name: size for layer, size in zip(network.layers, sizes_of(network), strict=True)}
    return Encoded(folder.resolve().name, read_image(image, design), design, layers, board)


@contextlib.contextmanager
def emitted(emit: Callable[[list[str]], object], model: Path, options: Sequence[str]) -> Iterator[Encoded]:
    """Emit a Keras model, and read the encoded network of the project.

    The project is deleted at the end of the context. The log gets what the emitter prints.

    Args:
        emit: function that runs `ese4ml emit` with a list of arguments.
        model: a .keras file.
        options: further arguments of `ese4ml emit`.
    """
    with tempfile.TemporaryDirectory(prefix="ese4ml-estimate-") as folder:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            emit([str(model), "--out", f"{folder}/project", *options])
        _log.info("%s", printed.getvalue().rstrip())
        yield read_folder(Path(folder) / "project")
