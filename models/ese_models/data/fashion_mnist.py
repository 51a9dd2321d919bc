# SPDX-License-Identifier: Apache-2.0
"""Fashion-MNIST: pictures of clothes, 28 x 28 pixels, ten classes (Xiao, Rasul and Vollgraf, 1708.07747).

60,000 pictures are for training, of which the last 6,000 are the validation split, and 10,000 for test, from the Debian
package `dataset-fashion-mnist`. Inputs are pixel / 256, which 8 fractional bits represent exactly.
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
VALIDATION = 10
"""The last tenth of the pictures for training is the validation split."""
CLASSES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")


def load(folder: Path | None = None) -> Dataset:
    """Read the data set; the first call fetches it into the cache.

    Args:
        folder: folder of the fetched files; the cache folder by default.

    Raises:
        MissingError: if the data set is not cached and could not be fetched; the message names the file to place.
        FormatError: if a file is not the published one.
    """
    place = unpack(PACKAGE, INSIDE, folder or cache_folder())
    kinds = ("images-idx3", "labels-idx1")
    files = [place / f"{split}-{kind}-ubyte.gz" for split in ("train", "t10k") for kind in kinds]
    arrays = [read_idx(path) for path in files]
    known, test = (vectors(*arrays[start : start + 2]) for start in (0, 2))
    first = len(known.labels) - len(known.labels) // VALIDATION
    train, validation = known.taken(slice(0, first)), known.taken(slice(first, None))
    return Dataset(NAME, train, validation, test, CLASSES, files=tuple(files))


def vectors(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> Split:
    """A split of one vector per picture, its elements pixel / 256."""
    inputs = images.reshape(len(images), -1).astype(np.float32) / 256
    return Split(inputs, np.ones(len(labels), dtype=np.int64), labels.astype(np.int64))


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """Read the array of a gzipped IDX file of bytes (LeCun's MNIST format).

    Raises:
        FormatError: if the file is not gzipped, not an IDX file of bytes, or damaged; the message names the file.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise FormatError(
            f"{path.name} is not a gzip file ({error}): remove the folder {path.parent} and fetch it again"
        ) from error
    axes = content[3] if len(content) > 3 else 0
    if content[:3] != b"\0\0\x08" or not axes:
        raise FormatError(f"{path.name} begins with {content[:4].hex()}; an IDX file of bytes begins with 000008")
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", axes, 4)) if len(content) >= 4 + 4 * axes else ()
    values = np.frombuffer(content, np.uint8, offset=min(len(content), 4 + 4 * axes))
    if not shape or len(values) != int(np.prod(shape)):
        raise FormatError(
            f"{path.name} holds {len(values)} bytes for an array of shape {shape}; it is cut short or damaged: "
            f"remove the folder {path.parent} and fetch it again"
        )
    return values.reshape(shape)
