"""Fashion-MNIST: 60,000 and 10,000 pictures of clothes, 28 x 28, ten classes (Xiao, Rasul and Vollgraf, 1708.07747).

From the Debian package `dataset-fashion-mnist`. Inputs are pixel / 256, which 8 fractional bits hold exactly.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError
from ese_models.data.cache import Deb, cache_folder, unpack
from ese_models.data.dataset import Dataset, Split

NAME = "Fashion-MNIST"
PACKAGE = Deb(
    "dataset-fashion-mnist",
    "0.0~git20200523.55506a9-1",
    "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0",
)
INSIDE = "usr/share/datasets/fashion-mnist"
CLASSES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")


def load(folder: Path | None = None) -> Dataset:
    """The data set, fetched into the cache at the first call.

    Args:
        folder: where the files lie or shall lie; the cache folder's by default.

    Raises:
        MissingError: it is not cached and could not be fetched; says which file to place where.
        FormatError: a file is not what was published.
    """
    place = unpack(PACKAGE, INSIDE, folder or cache_folder())
    kinds = ("images-idx3", "labels-idx1")
    files = [place / f"{split}-{kind}-ubyte.gz" for split in ("train", "t10k") for kind in kinds]
    arrays = [read_idx(path) for path in files]
    train, test = (vectors(*arrays[start : start + 2]) for start in (0, 2))
    return Dataset(NAME, train, test, CLASSES, files=tuple(files))


def vectors(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> Split:
    """One vector of pixel / 256 for each picture."""
    inputs = images.reshape(len(images), -1).astype(np.float32) / 256
    return Split(inputs, np.ones(len(labels), dtype=np.int64), labels.astype(np.int64))


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """The array of bytes of a gzipped IDX file (LeCun's MNIST format).

    Raises:
        FormatError: the file and fault are named.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise FormatError(f"{path.name} is no gzip file ({error}): remove {path.parent} and fetch it again") from error
    axes = content[3] if len(content) > 3 else 0
    if content[:3] != b"\0\0\x08" or not axes:
        raise FormatError(f"{path.name} begins with {content[:4].hex()}; an IDX file of bytes begins with 000008")
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", axes, 4)) if len(content) >= 4 + 4 * axes else ()
    values = np.frombuffer(content, np.uint8, offset=min(len(content), 4 + 4 * axes))
    if not shape or len(values) != int(np.prod(shape)):
        raise FormatError(f"{path.name} holds {len(values)} bytes for shape {shape}; it is cut short or damaged")
    return values.reshape(shape)
