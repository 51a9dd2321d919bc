# SPDX-License-Identifier: Apache-2.0
"""Damage to bytes, words and trees of plain values, by random numbers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

Rng = np.random.Generator
VALUES: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2, 7, 255, 65535, 1 << 20, 1 << 31, 1 << 32, (1 << 63) - 1, 1 << 63, 1 << 70,
    -(1 << 63), 10**400, 0.5, -5.0, 1e6, 1e308, 1e-320, -0.0, float("nan"), float("inf"), float("-inf"), "", "x",
    "../design.bit", "/dev/zero", "design.bit\x00", "0" * 64, "0x00000000", "emulated", "bitstream", "zcu104", "\ud800",
    "\x1b[2J", "𝕏", "a" * 999, [], {}, [[]], [0], ["a"], {"a": {}}, {"class": "Dense"},
    {"array": "network/layers/0/bias"},
)  # fmt: skip
"""Values that a field of a tree is replaced by."""
WORDS = (0, 1, 2, 3, 0x7F, 0xFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
MANY = 100_000
"""Elements of a list or an object that is made large."""
DEEP = 2_000
"""Depth of lists that are nested deeply."""


def pick(rng: Rng, items: Any) -> Any:
    """One element of a sequence."""
    return items[int(rng.integers(len(items)))]


def damage_bytes(rng: Rng, data: bytes) -> bytes:
    """Cut, double, flip, insert or overwrite some bytes, so that the data is another."""
    result = bytearray(data)
    while result == data:
        start, stop = sorted(int(at) for at in rng.integers(0, len(result) + 1, 2))
        stop = min(stop, start + 64) if rng.random() < 0.5 else stop
        what = rng.integers(7)
        if what == 0:
            del result[start:stop]
        elif what == 1:
            result[start:start] = result[start:stop]
        elif what == 2:
            result[start:start] = rng.bytes(int(rng.integers(1, 9)))
        elif what == 3:
            result[start:stop] = rng.bytes(stop - start)
        elif what == 4:
            result[start:stop] = bytes(stop - start)
        else:
            for _ in range(rng.integers(1, 5)):
                if result:
                    result[rng.integers(len(result))] ^= 1 << rng.integers(8)
    return bytes(result)


def damage_words(rng: Rng, words: np.ndarray[Any, Any], start: int, stop: int) -> None:
    """Change one to four 32-bit words: a bit, a byte, or the whole word.

    Args:
        rng: source of random numbers.
        words: the words, which are changed.
        start: first word that may change.
        stop: word behind the last one that may change.
    """
    for _ in range(rng.integers(1, 5) if stop > start else 0):
        at = int(rng.integers(start, stop))
        what = rng.integers(4)
        if what == 0:
            words[at] = int(rng.integers(1 << 32)) if rng.random() < 0.5 else pick(rng, WORDS)
        elif what == 1:
            place = 8 * int(rng.integers(4))
            words[at] = int(words[at]) & ~(0xFF << place) | int(rng.integers(256)) << place
        else:
            words[at] = int(words[at]) ^ 1 << int(rng.integers(32))


def damage_tree(rng: Rng, tree: Any) -> Any:
    """Replace, remove, rename, swap or enlarge one value anywhere in a tree of plain values; returns the tree."""
    node = tree
    for _ in range(64):
        keys = list(range(len(node))) if isinstance(node, list) else sorted(node)
        if not keys:
            break
        key = pick(rng, keys)
        if not isinstance(node[key], (dict, list)) or not node[key] or rng.random() < 0.2:
            return _changed(rng, tree, node, key, keys)
        node = node[key]
    return tree


def _changed(rng: Rng, tree: Any, node: Any, key: Any, keys: list[Any]) -> Any:
    what = rng.integers(12)
    if what < 5:
        node[key] = pick(rng, VALUES)
    elif what == 5:
        del node[key]
    elif what == 6 and isinstance(node, dict):
        node[str(pick(rng, VALUES))] = node[key]
    elif what == 7:
        other = pick(rng, keys)
        node[key], node[other] = node[other], node[key]
    elif what == 8 and isinstance(node[key], (int, float)):
        node[key] += pick(rng, (-1, 1, -0.5, 1e-3, 256))
    elif what == 9 and rng.random() < 0.3:
        node[key] = [node[key]] * MANY if rng.random() < 0.5 else {f"n{number}": node[key] for number in range(MANY)}
    elif what == 10:
        node[key] = [node[key]] * int(rng.integers(2, 200))
    else:
        node[key] = {"a": node[key]} if rng.random() < 0.5 else [node[key]]
    return tree


def damage_json(rng: Rng, data: bytes) -> bytes:
    """Damage a JSON text as a tree, or as text: a name twice, deep nesting, another encoding, an endless number."""
    what = rng.integers(10)
    if what == 0:
        return b"[" * DEEP + data + b"]" * DEEP
    if what == 1:
        return data.replace(
            b": ", b": " + bytes(pick(rng, (b"NaN, ", b"1e999, ", b"9" * 5000, b"-", b"[[[", b"\xff"))), 1
        )
    if what == 2:
        return pick(rng, (b"\xef\xbb\xbf", b"\x00", b"// text\n")) + data  # type: ignore[no-any-return]
    if what == 3:
        body = data.strip()
        return body[:-1] + b", " + body[1:]
    tree = json.loads(data)
    for _ in range(rng.integers(1, 3)):
        tree = damage_tree(rng, tree)
    return json.dumps(tree).encode("utf-8", "surrogatepass")
