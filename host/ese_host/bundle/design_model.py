"""What a design folder puts into an engine: images, golden model, and the shape of answers that both agree on."""

from __future__ import annotations

from dataclasses import dataclass

from ese_host.bundle import golden_file
from ese_host.bundle.folder import Folder
from ese_host.bundle.image_file import read_image
from ese_host.bundle.manifest import GOLDEN, IMAGE, image_name
from ese_host.errors import MismatchError
from ese_host.image import Image, check_ids
from ese_host.ir import Network
from ese_host.ir.program import Program
from ese_host.protocol import AnswerShape


@dataclass(frozen=True, eq=False)
class ChainImage:
    """A checked image with its network: what a chain puts into an engine.

    Attributes:
        chain: the chain's name. network: for the golden model. image: for the engine. shape: of its answers.
    """

    chain: str
    network: Network
    image: Image
    shape: AnswerShape


@dataclass(frozen=True, eq=False)
class DesignModel:
    """A folder's model: its program, and what each of the program's chains loads, in their order."""

    folder: Folder
    program: Program
    parts: tuple[ChainImage, ...]

    @classmethod
    def read(cls, folder: Folder) -> DesignModel:
        """Read images and golden model of a folder.

        Raises:
            EseError: they are not sound, or do not belong together.
        """
        program = golden_file.load(folder.file(GOLDEN))
        ids = folder.manifest.image_ids
        if len(ids) != len(program.chains):
            raise MismatchError(
                f"{folder.path / GOLDEN}: has {len(program.chains)} chains; the manifest names {len(ids)} images: "
                "build the folder again"
            )
        parts = []
        for number, (chain, image_id) in enumerate(zip(program.chains, ids, strict=True)):
            name = image_name(number)
            found = read_image(folder.file(name), folder.manifest.design)
            if found.image_id != image_id:
                raise MismatchError(
                    f"{folder.path / name}: image id is {found.image_id:#010x}; "
                    f"the manifest says {image_id:#010x}: emit the image again"
                )
            part = ChainImage(chain.name, chain.network, found, AnswerShape.of(chain.network))
            _check_shape(f"{folder.path / name}", part, program.tensors[chain.target].frac)
            parts.append(part)
        return cls(folder, program, tuple(parts))

    def for_engine_of(self, other: Folder) -> DesignModel:
        """This, for an engine that another folder's bitstream made.

        Raises:
            MismatchError: that engine is of another design.
        """
        check_ids(f"{self.folder.path / IMAGE}", self.folder.manifest.design.design_id, other.manifest.design.design_id)
        return self

    def part(self, chain: str) -> ChainImage:
        """What a chain loads.

        Raises:
            MismatchError: there is no chain of that name.
        """
        for part in self.parts:
            if part.chain == chain:
                return part
        raise MismatchError(
            f"{self.folder.path}: has no chain {chain!r}; there are {[part.chain for part in self.parts]}: choose one"
        )


def _check_shape(where: str, part: ChainImage, frac: int) -> None:
    """Refuse an image and a golden model that answer differently; `frac` of the golden model's outputs."""
    header, shape = part.image.header, part.shape
    pairs = {
        "inputs": (header["inputs"], shape.inputs),
        "outputs": (header["outputs"], shape.outputs),
        "outputs at every step": (part.image.every_step, shape.every_step),
        "fractional bits of outputs": (part.image.output_frac, shape.frac),
        "outputs leave as stored": (part.image.outputs_stored, shape.output is not None),
    }
    for name, (found, expected) in pairs.items():
        if found != expected:
            raise MismatchError(f"{where}: {name}: {found}; {GOLDEN} has {expected}: emit both from one model")
    if frac > shape.frac:
        raise MismatchError(
            f"{where}: its outputs have {shape.frac} fractional bits; {GOLDEN} needs {frac}: emit both from one model"
        )
