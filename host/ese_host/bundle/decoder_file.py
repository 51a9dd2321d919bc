# SPDX-License-Identifier: Apache-2.0
"""The decoder of a design folder, decoder.json."""

from __future__ import annotations

from ese_host import decoding
from ese_host.bundle.folder import Folder
from ese_host.bundle.manifest import DECODER
from ese_host.decoding import Decoder
from ese_host.ir.program import Program


def read_decoder(folder: Folder, program: Program) -> Decoder | None:
    """The decoder of a design folder, or None if it has none.

    Args:
        folder: the design folder.
        program: its program.

    Raises:
        FormatError: if the file is no decoder, or does not fit the program's first output.
        EseError: if it is missing, or not the one in the manifest.
    """
    if DECODER not in folder.manifest.files:
        return None
    decoder = decoding.read(folder.file(DECODER))
    decoding.check_fits(decoder, program)
    return decoder
