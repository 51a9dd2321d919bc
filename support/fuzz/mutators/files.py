# SPDX-License-Identifier: Apache-2.0
"""Mutators of the files of a design folder.

Each has two forms. The raw one damages bytes and leaves everything else, so that a digest or a checksum finds most of
the damage. The fixed one changes what a file says and makes all checksums, ids and digests around it consistent again,
so that the damage reaches the parser behind them.
"""

from __future__ import annotations

import contextlib
import json
import re
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from ese_hls.encode import compress
from ese_host import image
from ese_host.bundle import (
    BIT,
    GOLDEN,
    HWH,
    IMAGE,
    INTERFACE,
    NAME,
    PROVENANCE,
    TESTSET,
    image_name,
    model_digest,
)
from ese_host.errors import EseError
from ese_host.files import Words, digest_of
from ese_host.image import Design, compressed
from support.fuzz.mutators.archives import damage_npz
from support.fuzz.mutators.damage import Rng, damage_bytes, damage_json, damage_words, pick
from support.fuzz.mutators.seeds import PLAIN, PROGRAM, STORED, Contents

SOUND = "sound"
"""Name of the mutator that changes nothing."""
Mutate = Callable[[Rng, Contents], None]
IMAGES = re.compile(r"image(?:-(\d+))?\.bin")


def seal(contents: Contents, *names: str) -> None:
    """Make the manifest's digests of files, and the ids of images, those of the contents."""
    value = json.loads(contents[NAME])
    for name in names:
        value["files"][name] = digest_of(contents[name])
        if found := IMAGES.fullmatch(name):
            words = _plain(contents[name], value)
            image_id = f"{int(words[-1]) if len(words) else 0:#010x}"
            if found[1] is None:
                value["image_id"] = image_id
            else:
                value["further_images"][int(found[1]) - 1] = image_id
    contents[NAME] = json.dumps(value, indent=2).encode()


def tied(mutate: Mutate) -> Mutate:
    """A fixed mutator after which the manifest also says that images and golden model were emitted from one model.

    Only after these may a check find that values differ: such a folder agrees with itself.
    """

    def both(rng: Rng, contents: Contents) -> None:
        mutate(rng, contents)
        value = json.loads(contents[NAME])
        names = [image_name(number) for number in range(1 + len(value.get("further_images", [])))]
        value["model"] = model_digest(contents[GOLDEN], [_plain(contents[name], value) for name in names])
        contents[NAME] = json.dumps(value, indent=2).encode()

    return both


def _plain(data: bytes, value: dict[str, Any]) -> Words:
    """The words of an image in its plain form; those of a stored one that cannot be expanded are as they are."""
    words = np.frombuffer(data[: len(data) // 4 * 4], "<u4").astype(np.uint32)
    if len(words) and words[0] == compressed.MAGIC:
        with contextlib.suppress(EseError, ValueError):
            words = compressed.expand(words, Design.from_json(value["design"]), IMAGE)
    return words


def checked(words: Words) -> bytes:
    """The bytes of an image whose last word is made its CRC."""
    words[-1] = zlib.crc32(words[:-1].astype("<u4").tobytes())
    return words.astype("<u4").tobytes()


def raw(name: str) -> Mutate:
    """The raw mutator of a file."""

    def mutate(rng: Rng, contents: Contents) -> None:
        contents[name] = damage_bytes(rng, contents[name])

    return mutate


def fixed(name: str, damage: Callable[[Rng, bytes], bytes]) -> Mutate:
    """The fixed mutator of a file: damage to what it says, and its digest in the manifest."""

    def mutate(rng: Rng, contents: Contents) -> None:
        contents[name] = damage(rng, contents[name])
        seal(contents, name)

    return mutate


def nothing(_: Rng, __: Contents) -> None:
    """No damage: if a sound folder is refused, then what the other cases show is worth nothing."""


def manifest_fixed(rng: Rng, contents: Contents) -> None:
    """Damage to the manifest as JSON, with the id of the design that it then describes."""
    contents[NAME] = damage_json(rng, contents[NAME])
    try:
        value = json.loads(contents[NAME])
        value["design_id"] = f"{Design.from_json(value['design']).design_id:#010x}"
        contents[NAME] = json.dumps(value).encode()
    except (EseError, ValueError, KeyError, TypeError, RecursionError, UnicodeError):
        pass


def image_fixed(rng: Rng, contents: Contents) -> None:
    """Change words of one section of an image, with CRC and id."""
    design = Design.from_json(json.loads(contents[NAME])["design"])
    name = pick(rng, sorted(name for name in contents if IMAGES.fullmatch(name)))
    words = np.frombuffer(contents[name], "<u4").astype(np.uint32)
    sections = image.section_slices(image.read_header(words), design)
    part = sections[pick(rng, ("header", *(["phase table"] * 4), *list(sections)[2:-1]))]
    damage_words(rng, words, part.start, part.stop)
    if rng.random() < 0.1:
        words = np.delete(words, part.start) if rng.random() < 0.5 else np.insert(words, part.start, 1)
        words[2] = len(words)
    contents[name] = checked(words)
    seal(contents, name)


def stored_fixed(rng: Rng, contents: Contents) -> None:
    """Change words of a stored image with its CRC, or of the plain image inside before it is stored."""
    design = Design.from_json(json.loads(contents[NAME])["design"])
    words = np.frombuffer(contents[IMAGE], "<u4").astype(np.uint32)
    if rng.random() < 0.3:
        plain = compressed.expand(words, design, IMAGE).copy()
        part = image.section_slices(image.read_header(plain), design)[
            pick(rng, ("entries", "phase table", "peepholes"))
        ]
        damage_words(rng, plain, part.start, part.stop)
        checked(plain)
        try:
            words = compress(plain, design, IMAGE).astype(np.uint32)
        except (EseError, ValueError, IndexError):
            damage_words(rng, words, 0, len(words) - 1)
    else:
        head = rng.random() < 0.3
        damage_words(rng, words, 0, len(compressed.FIELDS) if head else len(words) - 1)
    contents[IMAGE] = checked(words)
    seal(contents, IMAGE)


TAG = re.compile(rb"<(\w+)([^<>]*)>")
ATTRIBUTE = re.compile(rb'(\w+)="([^"]*)"')
TEXTS = (
    b"", b"0", b"-1", b"0xFFFFFFFF", b"0x0", b"99999999999999999999", b"x", b"&lol;", b"\xff\xfe", b"1e999", b"true",
    b"A" * 5000, b"../../x", b"&#0;", b"%s", b"\xed\xa0\x80",
)  # fmt: skip
ENTITIES = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY lol "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'


def damage_hwh(rng: Rng, data: bytes) -> bytes:
    """Change attributes of a .hwh, remove or double elements, or damage it as XML."""
    for _ in range(rng.integers(1, 4)):
        what = rng.integers(8)
        places = list((ATTRIBUTE if what < 4 else TAG).finditer(data))
        if not places:
            return damage_bytes(rng, data)
        at = pick(rng, places)
        if what < 3:
            data = data[: at.start(2)] + pick(rng, TEXTS) + data[at.end(2) :]
        elif what == 3:
            data = data[: at.start()] + data[at.end() :]
        elif what == 4:
            end = data.find(b"</" + at[1] + b">", at.end())
            stop = end + len(at[1]) + 3 if end > 0 and not at[2].endswith(b"/") else at.end()
            data = data[: at.start()] + data[stop:]
        elif what == 5:
            data = data[: at.start()] + at[0] * int(rng.integers(2, 50)) + data[at.end() :]
        elif what == 6:
            data = damage_bytes(rng, data)
        else:
            data = pick(rng, (ENTITIES + data[data.find(b"?>") + 2 :], b"<a>" * 100_000 + data, b"", b"<a/>"))
    return data


def damage_bit(rng: Rng, data: bytes) -> bytes:
    """Damage a library where no code is, or make it something else: what it would run is not for this test to run."""
    what = rng.integers(4)
    if what == 0:
        return data[: int(rng.integers(0, 4096))]
    if what == 1:
        return b"\x00\x09\x0f\xf0" + data
    head = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        head[rng.integers(64)] = int(rng.integers(256))
    return bytes(head)


FILES: dict[str, tuple[Mutate, tuple[str, ...]]] = {
    SOUND: (nothing, (PLAIN, PROGRAM, STORED)),
    "manifest": (raw(NAME), (PLAIN, PROGRAM)),
    "manifest-fixed": (manifest_fixed, (PLAIN, PROGRAM)),
    "image": (raw(IMAGE), (PLAIN, PROGRAM, STORED)),
    "image-fixed": (image_fixed, (PLAIN, PROGRAM)),
    "image-tied": (tied(image_fixed), (PLAIN, PROGRAM)),
    "stored-fixed": (stored_fixed, (STORED,)),
    "stored-tied": (tied(stored_fixed), (STORED,)),
    "golden": (raw(GOLDEN), (PLAIN, PROGRAM)),
    "golden-raw-fixed": (fixed(GOLDEN, damage_bytes), (PLAIN, PROGRAM)),
    "golden-fixed": (fixed(GOLDEN, damage_npz), (PLAIN, PROGRAM)),
    "golden-tied": (tied(fixed(GOLDEN, damage_npz)), (PLAIN, PROGRAM)),
    "testset": (raw(TESTSET), (PLAIN, PROGRAM)),
    "testset-fixed": (fixed(TESTSET, damage_npz), (PLAIN, PROGRAM)),
    "provenance": (raw(PROVENANCE), (PLAIN,)),
    "provenance-fixed": (fixed(PROVENANCE, damage_json), (PLAIN,)),
    "interface": (raw(INTERFACE), (PLAIN,)),
    "interface-fixed": (fixed(INTERFACE, damage_json), (PLAIN, PROGRAM)),
    "hwh": (raw(HWH), (PLAIN,)),
    "hwh-fixed": (fixed(HWH, damage_hwh), (PLAIN,)),
    "bit": (raw(BIT), (PLAIN,)),
    "bit-fixed": (fixed(BIT, damage_bit), (PLAIN,)),
}
"""Mutators of files, and the sound folders that each starts from."""
WEIGHTS = {
    SOUND: 2, "manifest": 3, "manifest-fixed": 20, "image": 3, "image-fixed": 3, "image-tied": 11,
    "stored-fixed": 3, "stored-tied": 7, "golden": 2, "golden-raw-fixed": 4, "golden-fixed": 4, "golden-tied": 14,
    "testset": 2, "testset-fixed": 12, "provenance": 2, "provenance-fixed": 8, "interface": 2, "interface-fixed": 8,
    "hwh": 2, "hwh-fixed": 10, "bit": 1, "bit-fixed": 2,
}  # fmt: skip
