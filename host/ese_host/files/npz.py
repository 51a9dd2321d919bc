"""Reading .npz files from untrusted sources: without pickles, and without allocating more than the file can fill."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError
from ese_host.files.hashing import open_plain

MAX_ARRAYS = 4096
_MAGIC: Callable[[IO[bytes]], tuple[int, int]] = np.lib.format.read_magic
_HEADERS: dict[tuple[int, int], Callable[[IO[bytes]], tuple[tuple[int, ...], bool, np.dtype[Any]]]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read(path: Path, limit: int) -> dict[str, npt.NDArray[Any]]:
    """Read all arrays of a .npz file, by name.

    Args:
        path: the file.
        limit: most bytes that all its arrays may have together.

    Raises:
        FormatError: if the file is no .npz, contains Python objects, or claims more bytes than it has or than `limit`.
    """
    try:
        with open_plain(path) as stream, zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
            size = sum(item.file_size for item in members)
            if size > limit or len(members) > MAX_ARRAYS:
                raise FormatError(
                    f"{path}: unpacks to {size} bytes in {len(members)} arrays; at most {limit} bytes in {MAX_ARRAYS} "
                    "are allowed"
                )
            return {item.filename.removesuffix(".npy"): _array(archive, item) for item in members}
    except FormatError:
        raise
    except (
        OSError, ValueError, KeyError, EOFError, RuntimeError, NotImplementedError, OverflowError, SyntaxError,
        MemoryError, zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error,
    ) as error:  # fmt: skip
        raise FormatError(f"{path}: cannot be read as .npz ({error}); build the design again") from error


def _array(archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> npt.NDArray[Any]:
    with archive.open(item) as stream:
        version = _MAGIC(stream)
        if version not in _HEADERS:
            raise ValueError(f"{item.filename} has .npy version {version}; {sorted(_HEADERS)} are supported")
        shape, fortran, dtype = _HEADERS[version](stream)
        if dtype.hasobject:
            raise ValueError(f"{item.filename} holds objects; allow_pickle=False")
        size = prod(shape) * dtype.itemsize
        if min((0, *shape)) < 0 or size > item.file_size:
            raise ValueError(f"{item.filename} claims {shape} of {dtype} in {item.file_size} bytes")
        data = stream.read(size)
    if len(data) != size:
        raise EOFError(f"{item.filename} has {len(data)} bytes of {size}")
    array = np.frombuffer(data, dtype=dtype).reshape(shape, order="F" if fortran else "C")
    return array.copy(order="C")
