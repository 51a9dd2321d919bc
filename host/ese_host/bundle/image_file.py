"""image.bin: an image on disk, plain or in its compressed form."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ese_host.errors import FormatError
from ese_host.image import Design, Image, compressed, parse

MAX_WORDS = 1 << 26
"""Words of the longest file."""


def read_image(path: Path, design: Design) -> Image:
    """Read and check an image file, plain or in its compressed form.

    Args:
        path: the file.
        design: the design that it is for.

    Raises:
        FormatError, MismatchError, CapacityError: see `ese_host.image.parse`; also where the file cannot be read.
    """
    try:
        size = path.stat().st_size
        if size % 4 or size > 4 * MAX_WORDS:
            raise FormatError(f"{path}: {size} bytes; whole 32-bit words, at most {4 * MAX_WORDS} bytes: copy it again")
        words = np.frombuffer(path.read_bytes(), dtype="<u4").astype(np.uint32)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error}); build the design again") from error
    if len(words) and words[0] == compressed.MAGIC:
        words = compressed.expand(words, design, str(path))
    return parse(words, design, str(path))
