# SPDX-License-Identifier: Apache-2.0
"""Reading .npz files from untrusted sources: without pickles, and without allocating more than the file can fill."""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from math import prod
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError
from ese_host.files.hashing import Source, open_plain, size_of

MAX_ARRAYS = 4096
MAX_RATIO = 16
"""Most bytes of memory for each byte of a file, beyond `FREE_BYTES`; a compressed file may unpack to a thousand."""
FREE_BYTES = 1 << 26
"""Bytes of memory that the arrays of even the smallest file may take."""
CHUNK = 1 << 20
"""Bytes that are unpacked at once."""
MAX_HEADER = 4096
"""Most bytes of the header of an array; NumPy writes some 120."""
_LENGTH_BYTES = {b"\x93NUMPY\x01\x00": 2, b"\x93NUMPY\x02\x00": 4}
"""{first bytes of an array: bytes of the number that tells the length of its header}."""
_HEADER = re.compile(
    r"\s*\{\s*'descr'\s*:\s*'(?P<dtype>[<>|=]?[?a-zA-Z]\d{0,9})'\s*,\s*'fortran_order'\s*:\s*(?P<fortran>True|False)\s*,"
    r"\s*'shape'\s*:\s*\((?P<shape>(?:\s*-?\d{1,19}\s*,)*(?:\s*-?\d{1,19})?)\s*\)\s*,?\s*\}\s*",
    re.ASCII,
)
"""The header of an array of numbers or of text, as NumPy and other libraries write it."""


def read(path: Source, limit: int, advice: str = "build the design again") -> dict[str, npt.NDArray[Any]]:
    """Read all arrays of a .npz file, by name.

    Args:
        path: the file.
        limit: most bytes that all its arrays may have together. Each number counts as 8 bytes at least, since codes
            become 64-bit integers later. A small file may have fewer: `FREE_BYTES`, and `MAX_RATIO` for each byte.
        advice: what to do if it cannot be read.

    Raises:
        FormatError: if the file is no .npz, contains Python objects, or claims more bytes than it has or may have.
    """
    try:
        with open_plain(path) as stream, zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
            size = sum(item.file_size for item in members)
            limit = min(limit, FREE_BYTES + MAX_RATIO * size_of(stream))
            if size > limit or len(members) > MAX_ARRAYS:
                raise FormatError(
                    f"{path}: unpacks to {size} bytes in {len(members)} arrays; at most {limit} bytes in {MAX_ARRAYS} "
                    "are allowed"
                )
            arrays: dict[str, npt.NDArray[Any]] = {}
            for item in members:
                array, size = _array(archive, item, limit)
                arrays[item.filename.removesuffix(".npy")] = array
                limit -= size
            return arrays
    except FormatError:
        raise
    except (
        OSError, ValueError, TypeError, KeyError, EOFError, RuntimeError, NotImplementedError, OverflowError,
        MemoryError, struct.error, zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error,
    ) as error:  # fmt: skip
        raise FormatError(f"{path}: cannot be read as .npz ({error}); {advice}") from error


def _array(archive: zipfile.ZipFile, item: zipfile.ZipInfo, limit: int) -> tuple[npt.NDArray[Any], int]:
    """Read one array; returns it and the bytes that it counts as.

    Args:
        archive: the open .npz file.
        item: the array's member.
        limit: most bytes that the array may count as.
    """
    if item.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{item.filename!r} is compressed by method {item.compress_type}; np.savez_compressed uses 8")
    with archive.open(item) as stream:
        shape, order, dtype = _header(stream, item.filename)
        size = prod(shape) * dtype.itemsize
        if min((0, *shape)) < 0 or size > item.file_size:
            raise ValueError(f"{item.filename!r} claims {shape} of {dtype} in {item.file_size} bytes")
        counted = size if dtype.kind in "US" else prod(shape) * max(8, dtype.itemsize)
        if counted > limit:
            raise ValueError(f"{item.filename!r} is {shape} of {dtype}: {counted} bytes as numbers; {limit} are left")
        data = bytearray()
        while chunk := stream.read(min(CHUNK, size - len(data))):
            data += chunk
    if len(data) != size:
        raise EOFError(f"{item.filename!r} has {len(data)} bytes of {size}")
    return np.ascontiguousarray(np.frombuffer(data, dtype=dtype).reshape(shape, order=order)).reshape(shape), counted


def _header(stream: IO[bytes], name: str) -> tuple[tuple[int, ...], Any, np.dtype[Any]]:
    """Read the header of an array: its shape, the order of its elements ("C" or "F"), and their type."""
    start = stream.read(8)
    if start not in _LENGTH_BYTES:
        raise ValueError(f"{name!r} starts with {start!r}; arrays of .npy version 1.0 or 2.0 are expected")
    length = int.from_bytes(stream.read(_LENGTH_BYTES[start]), "little")
    text = stream.read(min(length, MAX_HEADER)).decode("latin-1")
    found = _HEADER.fullmatch(text) if length <= MAX_HEADER else None
    if found is None:
        raise ValueError(f"{name!r} has the header {text[:200]!r}; descr, fortran_order and shape are expected")
    dtype = np.dtype(found["dtype"])
    if dtype.hasobject:
        raise ValueError(f"{name!r} holds objects; allow_pickle=False")
    shape = tuple(int(number) for number in found["shape"].split(",") if number.strip())
    return shape, "F" if found["fortran"] == "True" else "C", dtype
