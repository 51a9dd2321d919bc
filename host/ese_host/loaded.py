"""What a design folder puts into an engine: image, golden model, and the shape of answers that both agree on."""

from __future__ import annotations

from dataclasses import dataclass

from ese_host import image, network_io
from ese_host.design import check_ids
from ese_host.errors import MismatchError
from ese_host.image import Image
from ese_host.manifest import GOLDEN, IMAGE, Folder
from ese_host.network import Network
from ese_host.outputs import Shape


@dataclass(frozen=True, eq=False)
class Loaded:
    """A checked image with its network.

    Attributes:
        folder: where they come from. network: for the golden model. image: for the engine. shape: of its answers.
    """

    folder: Folder
    network: Network
    image: Image
    shape: Shape

    @classmethod
    def read(cls, folder: Folder) -> Loaded:
        """Read image and golden model of a folder.

        Raises:
            EseError: they are not sound, or do not belong together.
        """
        network = network_io.load(folder.file(GOLDEN))
        found = image.read(folder.file(IMAGE), folder.manifest.design)
        if found.image_id != folder.manifest.image_id:
            raise MismatchError(
                f"{folder.path / IMAGE}: image id is {found.image_id:#010x}; "
                f"the manifest says {folder.manifest.image_id:#010x}: emit the image again"
            )
        loaded = cls(folder, network, found, Shape.of(network))
        loaded._check_shape()
        return loaded

    def for_engine_of(self, other: Folder) -> Loaded:
        """This, for an engine that another folder's bitstream made.

        Raises:
            MismatchError: that engine is of another design.
        """
        check_ids(f"{self.folder.path / IMAGE}", self.folder.manifest.design.design_id, other.manifest.design.design_id)
        return self

    def _check_shape(self) -> None:
        """Refuse an image and a golden model that answer differently."""
        header, shape = self.image.header, self.shape
        pairs = {
            "inputs": (header["inputs"], shape.inputs),
            "outputs": (header["outputs"], shape.outputs),
            "outputs at every step": (self.image.every_step, shape.every_step),
            "fractional bits of outputs": (self.image.output_frac, shape.frac),
            "outputs leave as stored": (self.image.outputs_stored, shape.output is not None),
        }
        for name, (found, expected) in pairs.items():
            if found != expected:
                raise MismatchError(
                    f"{self.folder.path / IMAGE}: {name}: {found}; {GOLDEN} has {expected}: emit both from one model"
                )
