# SPDX-License-Identifier: Apache-2.0
"""image.bin: an image on disk, in plain or compressed form."""

from __future__ import annotations

import numpy as np

from ese_host.errors import FormatError
from ese_host.files import Source, open_plain, size_of
from ese_host.image import Design, Image, compressed, parse

MAX_WORDS = 1 << 26
"""32-bit words of the longest file that is read."""


def read_image(path: Source, design: Design) -> Image:
    """Read and check an image file, in plain or compressed form.

    Args:
        path: the file.
        design: the design that the image must be for.

    Raises:
        FormatError: if the file cannot be read, or is no valid image.
        MismatchError: if the image is for another design.
        CapacityError: if a section of the image does not fit its memory.
    """
    try:
        with open_plain(path) as stream:
            size = size_of(stream)
            data = stream.read(size) if size <= 4 * MAX_WORDS else b""
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error}); build the design again") from error
    if size % 4 or len(data) != size:
        raise FormatError(
            f"{path}: has {size} bytes; an image has whole 32-bit words, at most {4 * MAX_WORDS} bytes: copy it again"
        )
    words = np.frombuffer(data, dtype="<u4").astype(np.uint32)
    if len(words) and words[0] == compressed.MAGIC:
        words = compressed.expand(words, design, str(path))
    return parse(words, design, str(path))
