"""The design folder bitstreams/<design>: manifest, golden model, test set and provenance, each checked before use."""

from ese_host.bundle.folder import Folder
from ese_host.bundle.image_file import read_image
from ese_host.bundle.manifest import BIT, GOLDEN, HWH, IMAGE, NAME, PROVENANCE, TESTSET, Kind, Manifest, image_name
from ese_host.bundle.model import Loaded, Model
from ese_host.bundle.provenance import FORMAT, USED, Load, Provenance, Record, Samples, beside, imbalance
from ese_host.bundle.testset import TestSet

__all__ = [
    "BIT",
    "FORMAT",
    "GOLDEN",
    "HWH",
    "IMAGE",
    "NAME",
    "PROVENANCE",
    "TESTSET",
    "USED",
    "Folder",
    "Kind",
    "Load",
    "Loaded",
    "Manifest",
    "Model",
    "Provenance",
    "Record",
    "Samples",
    "TestSet",
    "beside",
    "image_name",
    "imbalance",
    "read_image",
]
