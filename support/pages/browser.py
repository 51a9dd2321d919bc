# SPDX-License-Identifier: Apache-2.0
"""Pages in Chromium: what measure.html finds in them, and a picture.

Where Chromium is on PATH but does not start, a test fails; it is skipped only where there is none.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import struct
import subprocess
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

CHROMIUM = shutil.which("chromium")
HEIGHT = 1600
DARK, LIGHT = 0, 1
"""Chromium's numbers of the colour schemes."""

needed = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium on PATH")


def frames(pages: Sequence[tuple[str, int]]) -> str:
    """Frames side by side, each of a page's text and a width."""
    return "".join(
        f'<iframe width="{width}" height="{HEIGHT}" srcdoc="{html.escape(page)}"></iframe>' for page, width in pages
    )


def measured(shown: str, width: int, folder: Path, scheme: int) -> tuple[list[dict[str, Any]], Path]:
    """The findings of measure.html in each frame, and a picture of all.

    Args:
        shown: the frames.
        width: of all of them together.
        folder: where files are written.
        scheme: the colours that the user prefers, `DARK` or `LIGHT`.
    """
    page, picture = folder / "measure.html", folder / "picture.png"
    page.write_text(Path(__file__).with_name("measure.html").read_text().replace("FRAMES", shown))
    return json.loads(opened(page, width, folder, scheme, f"--screenshot={picture}")), picture


def opened(page: Path, width: int, folder: Path, scheme: int = LIGHT, *options: str, fragment: str = "") -> str:
    """The text that a page leaves in its element `found` once it is loaded.

    Args:
        page: file of the page.
        width: of the window.
        folder: where Chromium writes its profile.
        scheme: the colours that the user prefers, `DARK` or `LIGHT`.
        options: further ones of Chromium.
        fragment: of the page's address.
    """
    assert CHROMIUM is not None
    command = (
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={folder / 'profile'}",
        f"--window-size={width},{HEIGHT}",
        f"--blink-settings=preferredColorScheme={scheme}",
        *options,
        "--dump-dom",
        f"file://{page}#{fragment}" if fragment else f"file://{page}",
    )
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, flags=re.DOTALL)
    assert found is not None, done.stderr
    return html.unescape(found[1])


def ink(picture: Path) -> npt.NDArray[np.bool_]:
    """(height, width) pixels that differ from their neighbours: a PNG stores the difference, 0 on plain ground."""
    data = picture.read_bytes()
    width, height, bits, kind = struct.unpack(">IIBB", data[16:26])
    assert (bits, kind) == (8, 2)  # red, green and blue in bytes
    packed, at = b"", 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        if data[at + 4 : at + 8] == b"IDAT":
            packed += data[at + 8 : at + 8 + length]
        at += length + 12
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + 3 * width)
    assert rows[:, 0].all()  # 0 would be a row that is stored as it is
    inked: npt.NDArray[np.bool_] = rows[:, 1:].reshape(height, width, 3).any(axis=-1)
    return inked
