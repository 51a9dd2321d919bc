# SPDX-License-Identifier: Apache-2.0
"""The model in a design folder: its images and its golden model, checked to agree on the shape of answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ese_host.bundle import golden_file
from ese_host.bundle.folder import Folder
from ese_host.bundle.image_file import read_image
from ese_host.bundle.manifest import GOLDEN, IMAGE, image_name
from ese_host.errors import MismatchError
from ese_host.files import Words, digest_of
from ese_host.image import Image, check_ids
from ese_host.ir import Network, shown
from ese_host.ir.program import Program
from ese_host.protocol import AnswerShape


@dataclass(frozen=True, eq=False)
class ChainImage:
    """A chain's image, checked against its network.

    Attributes:
        chain: the chain's name.
        network: the chain's network, for the golden model.
        image: the chain's image, for the engine.
        shape: shape of the engine's answers with this image.
    """

    chain: str
    network: Network
    image: Image
    shape: AnswerShape


@dataclass(frozen=True, eq=False)
class DesignModel:
    """The model in a design folder.

    Attributes:
        folder: the folder that it was read from.
        program: the golden model.
        parts: the image of each of the program's chains, in the order of the chains.
    """

    folder: Folder
    program: Program
    parts: tuple[ChainImage, ...]

    @classmethod
    def read(cls, folder: Folder) -> DesignModel:
        """Read the images and the golden model of a folder.

        Raises:
            EseError: if a file is invalid, or the files do not belong together.
        """
        golden = folder.file(GOLDEN)
        program = golden_file.load(golden)
        ids = folder.manifest.image_ids
        if len(ids) != len(program.chains):
            raise MismatchError(
                f"{folder.path / GOLDEN}: has {len(program.chains)} chains; the manifest names {len(ids)} images: "
                "build the folder again"
            )
        parts = []
        for number, (chain, image_id) in enumerate(zip(program.chains, ids, strict=True)):
            name = image_name(number)
            image = read_image(folder.file(name), folder.manifest.design)
            if image.image_id != image_id:
                raise MismatchError(
                    f"{folder.path / name}: image id is {image.image_id:#010x}; "
                    f"the manifest says {image_id:#010x}: emit the image again"
                )
            part = ChainImage(chain.name, chain.network, image, AnswerShape.of(chain.network))
            _check_shape(f"{folder.path / name}", part, program.tensors[chain.target].frac)
            parts.append(part)
        digest = model_digest(golden.data, (part.image.words for part in parts))
        if digest != folder.manifest.model:
            raise MismatchError(
                f"{folder.path}: {', '.join(map(image_name, range(len(parts))))} and {GOLDEN} do not encode the same "
                f"model: their common digest is {digest}, and it was {folder.manifest.model} (`model` in the manifest) "
                "when they were emitted: build the folder again"
            )
        return cls(folder, program, tuple(parts))

    def for_engine_of(self, other: Folder) -> DesignModel:
        """Check that the engine of another folder's bitstream can run this model; returns the model.

        Raises:
            MismatchError: if the two folders are of different designs.
        """
        check_ids(f"{self.folder.path / IMAGE}", self.folder.manifest.design.design_id, other.manifest.design.design_id)
        return self

    def part(self, chain: str) -> ChainImage:
        """The image of a chain.

        Raises:
            MismatchError: if there is no chain of that name.
        """
        for part in self.parts:
            if part.chain == chain:
                return part
        raise MismatchError(
            f"{self.folder.path}: has no chain {shown(chain)}; there are {[part.chain for part in self.parts]}: "
            "choose one"
        )


def model_digest(golden: bytes, images: Iterable[Words]) -> str:
    """SHA-256 that ties a golden model to the images that were encoded from it.

    It is made once, when both are emitted, and checked whenever they are loaded, so that neither can be exchanged for
    another of the same shape. It is the SHA-256 of the SHA-256 of golden.npz followed by that of each image, all in
    binary. An image is hashed in its plain form, because the stored form is expanded before it is used.

    Args:
        golden: the bytes of golden.npz.
        images: (words,) plain 32-bit words of each chain's image, in the order of the chains.
    """
    parts = [golden, *(words.astype("<u4").tobytes() for words in images)]
    return digest_of(b"".join(bytes.fromhex(digest_of(part)) for part in parts))


def _check_shape(where: str, part: ChainImage, frac: int) -> None:
    """Refuse an image whose answers differ in shape or format from the golden model's.

    Args:
        where: path of the image, for messages.
        part: the image and the golden model's network.
        frac: fractional bits of the chain's target tensor in the golden model.
    """
    header, shape = part.image.header, part.shape
    pairs = {
        "inputs": (header["inputs"], shape.inputs),
        "outputs": (header["outputs"], shape.outputs),
        "outputs at every step": (part.image.every_step, shape.every_step),
        "fractional bits of outputs": (part.image.output_frac, shape.frac),
        "outputs as stored codes": (part.image.outputs_stored, shape.output is not None),
    }
    for name, (in_image, in_golden) in pairs.items():
        if in_image != in_golden:
            raise MismatchError(f"{where}: {name}: {in_image}; {GOLDEN} has {in_golden}: emit both from one model")
    if frac > shape.frac:
        raise MismatchError(
            f"{where}: its outputs have {shape.frac} fractional bits; {GOLDEN} needs {frac}: emit both from one model"
        )
