# SPDX-License-Identifier: Apache-2.0
"""Arrays as text for Keras configurations: their bytes, compressed by zlib, in base 64."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt


def to_text(array: npt.NDArray[Any]) -> str:
    """The bytes of an array, compressed, in base 64."""
    return base64.b64encode(zlib.compress(np.ascontiguousarray(array).tobytes())).decode()


def from_text(text: str, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Inverse of `to_text`.

    Args:
        text: what `to_text` returned.
        dtype: type of the array's elements.
        shape: of the array.

    Raises:
        ValueError: if the text does not hold an array of this type and shape.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    data = zlib.decompressobj().decompress(base64.b64decode(text), size + 1)
    if len(data) != size:
        raise ValueError(f"the text holds {len(data)} or more bytes; an array of shape {shape} has {size}")
    return np.frombuffer(data, dtype=dtype).reshape(shape)
