# SPDX-License-Identifier: Apache-2.0
"""Damage to .npz files: to the zip structure, to the headers of arrays, to their values, and to a JSON text in them."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from typing import Any

import numpy as np

from support.fuzz.mutators.damage import MANY, Rng, damage_bytes, damage_tree, pick

DTYPES = ("<i8", "<i4", "|i1", "<u8", ">i8", "<f8", "<f4", "<f2", "|b1", "<c16", "|O", "<U4", "|S3", "<M8[s]", "|V8")
SHAPES = (
    "()", "(0,)", "(3,", "(True, True, 12)", "(-1,)", "(1, -5, 3)", "(4294967296, 4294967296)",
    "(99999999999999999999,)", "(1.5,)", "[3]", "3", "(1,) * 9", "('a',)", "None", "(1000000000,)",
    "(1, 1, 1, 1, 1, 1, 1, 1)",
)  # fmt: skip
BOMB = 1 << 28
"""Bytes of an array of zeros that takes less than a thousandth of that in the file."""

Members = dict[str, bytes]


def members_of(data: bytes) -> Members:
    """{name: content} of all members of a zip file."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive_of(members: Members, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip file of members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def array_of(content: bytes) -> np.ndarray[Any, Any]:
    """The array of a .npy member."""
    return np.load(io.BytesIO(content), allow_pickle=False)  # type: ignore[no-any-return]


def member_of(array: np.ndarray[Any, Any]) -> bytes:
    """The .npy member of an array."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def damage_npz(rng: Rng, data: bytes) -> bytes:
    """Damage one part of an .npz file; what the damage does not touch stays sound, checksums of the zip included."""
    members = members_of(data)
    name = pick(rng, sorted(members))
    what = rng.integers(10)
    if what == 0:
        return _structure(rng, data, members)
    if what == 1 and rng.random() < 0.15:
        return _bomb(rng, members, name)
    if what == 2:
        del members[name]
    elif what == 3:
        other = pick(rng, [*sorted(members), "json.npy", "inputs.npy", "../x.npy", "x" * 7000, "a\x00b"])
        members[other] = members.pop(name)
    elif what == 4:
        members[name] = damage_bytes(rng, members[name])
    elif what <= 6:
        members[name] = _header(rng, members[name])
    elif what == 7 and "json.npy" in members:
        members["json.npy"] = _text(rng, members["json.npy"])
    else:
        members[name] = _values(rng, members[name])
    return archive_of(members)


def _structure(rng: Rng, data: bytes, members: Members) -> bytes:
    what = rng.integers(6)
    if what == 0:
        return archive_of(members, pick(rng, (zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)))
    if what == 1:
        return archive_of(members | {f"m{number}.npy": b"" for number in range(pick(rng, (10, 5000)))})
    if what == 2:
        return rng.bytes(100) + data
    changed = bytearray(data)
    mark = pick(rng, (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"))
    places = [at for at in range(len(data) - 50) if data[at : at + 4] == mark] or [len(data) - 22]
    at = min(pick(rng, places) + int(rng.integers(4, 46)), len(data) - 4)
    if what == 3:
        changed[at : at + 4] = struct.pack("<I", pick(rng, (0, 1, 0xFFFF, 0xFFFFFFFF, 0x7FFFFFFF)))
    elif what == 4:
        changed[at] ^= 1 << rng.integers(8)
    else:
        changed[at : at + 2] = rng.bytes(2)
    return bytes(changed[: len(data)])


def _bomb(rng: Rng, members: Members, name: str) -> bytes:
    """Replace an array by very many zeros of the same type and rank."""
    like = array_of(members[name])
    width = like.shape[-1] if like.ndim else 1
    shape = (*(1,) * max(0, like.ndim - 2), BOMB // max(1, width * like.itemsize), width)[-max(1, like.ndim) :]
    if rng.random() < 0.5:
        shape = shape[::-1]
    header = member_of(np.zeros((0,) * len(shape), like.dtype))
    text = str({"descr": like.dtype.str, "fortran_order": False, "shape": shape})
    header = header[:8] + struct.pack("<H", len(text) + 1) + text.encode() + b"\n"
    size = int(np.prod(shape)) * like.itemsize
    return archive_of({**members, name: header + bytes(size)})


def _header(rng: Rng, content: bytes) -> bytes:
    """Change the header of an array: version, length, type, order or shape."""
    length = struct.unpack("<H", content[8:10])[0]
    text, body = content[10 : 10 + length].decode("latin-1"), content[10 + length :]
    found = array_of(content)
    version = b"\x01\x00"
    what = rng.integers(7)
    if what == 0:
        version = pick(rng, (b"\x02\x00", b"\x03\x00", b"\x00\x00", b"\xff\xff"))
    elif what == 1:
        text = text.replace(repr(found.dtype.str), repr(pick(rng, DTYPES)))
    elif what == 2:
        text = text.replace("False", pick(rng, ("True", "1", "None", "[]")))
    elif what == 3:
        text = text.replace(str(found.shape), pick(rng, SHAPES))
    elif what == 4:
        text = text.replace(str(found.shape), str(tuple(int(n) + int(rng.integers(-1, 2)) for n in found.shape)))
    elif what == 5:
        text = damage_bytes(rng, text.encode("latin-1")).decode("latin-1")
    else:
        text = pick(
            rng, ("", " " * 60_000, "{" * 5000, "[" * 3000 + "]" * 3000, "__import__('os')", "{'descr': '<f4', ")
        )
    raw = text.encode("latin-1")[:65_535]
    return b"\x93NUMPY" + version + struct.pack("<H", len(raw)) + raw + body


def _values(rng: Rng, content: bytes) -> bytes:
    """Change an array's values, its type or its shape, and keep it sound as an array."""
    array = array_of(content)
    if array.dtype.kind not in "iuf" or not array.size:
        return member_of(array[None])
    what = rng.integers(8)
    flat = array.reshape(-1)
    if what <= 2:
        for _ in range(rng.integers(1, 4)):
            at = rng.integers(flat.size)
            flat[at] = flat[at] + pick(rng, (-1, 1, 2, -100))
    elif what == 3:
        flat[rng.integers(flat.size)] = (
            pick(rng, (0, 1, 127)) if array.dtype.kind == "u" else pick(rng, (-1, 0, 1, 127))
        )
    elif what == 4:
        extreme = np.array([np.nan, np.inf, -np.inf, 1e300, -0.0, 5e-324])
        if array.dtype.kind == "f":
            flat[rng.integers(flat.size)] = pick(rng, extreme)
        else:
            info = np.iinfo(array.dtype)
            flat[rng.integers(flat.size)] = pick(rng, (info.min, info.max, info.min + 1))
    elif what == 5:
        array = array.astype(pick(rng, ("<i4", "|i1", "<f8", "<u8", "|b1", ">i8", "<f2", "<c16")))
    elif what == 6:
        array = pick(rng, (array[:0], array[None], array.reshape(-1), array[..., :-1], array[:-1], array.T.copy("F")))
    else:
        array = np.repeat(array, pick(rng, (2, 3, 50)), axis=int(rng.integers(array.ndim)))
    return member_of(array)


def _text(rng: Rng, content: bytes) -> bytes:
    """Damage the JSON text of golden.npz as a tree."""
    tree = json.loads(str(array_of(content)))
    for _ in range(rng.integers(1, 3)):
        tree = damage_tree(rng, tree)
    what = rng.integers(8)
    text = json.dumps(tree)
    if what == 0:
        text = json.dumps([tree]) if rng.random() < 0.5 else text[: len(text) // 2]
    elif what == 1 and isinstance(tree, dict) and rng.random() < 0.3:
        key = pick(rng, sorted(tree))
        text = json.dumps({**tree, key: [tree[key]] * (MANY // 10)})
    array = np.array(text)
    raw = member_of(array)
    if what == 2:  # a code point that is none of Unicode's
        raw = raw[:-4] + struct.pack("<I", pick(rng, (0x110000, 0xFFFFFFFF, 0xD800)))
    return raw
