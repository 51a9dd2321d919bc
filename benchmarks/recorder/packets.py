# SPDX-License-Identifier: Apache-2.0
"""All words that an emulated bitstream answers, to valid and to malformed packets.

    python packets.py design.bit project

prints one JSON object, {name of a packet: its answer}. It runs in its own process, so that a library that crashes stops
nothing else.
"""

from __future__ import annotations

import ctypes
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

LOAD, RUN, RESET = 0x45530001, 0x45530002, 0x45530003
TRACE, KEEP = 1, 2
INPUTS_WORD = 9
ROOM = 1 << 20
REGISTERS = (0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70)
Words = list[int]


class LoadedEngine:
    """An engine in a library with the C functions of docs/reference/packets.md."""

    def __init__(self, library: Path) -> None:
        self.library = ctypes.CDLL(str(library.resolve()))
        self.library.ese_open.restype = ctypes.c_void_p
        self.library.ese_close.argtypes = [ctypes.c_void_p]
        self.library.ese_register.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
        self.library.ese_register.restype = ctypes.c_uint32
        words = ctypes.POINTER(ctypes.c_uint32)
        self.library.ese_packet.argtypes = [ctypes.c_void_p, words, ctypes.c_size_t, words, ctypes.c_size_t]
        self.library.ese_packet.restype = ctypes.c_size_t
        self.handle = self.library.ese_open()

    def answer(self, packet: Words, room: int = ROOM) -> tuple[int, Words]:
        """Send a packet; return the number of words of the answer, and those of them that fit into `room` words."""
        sent = (ctypes.c_uint32 * len(packet))(*packet)
        got = (ctypes.c_uint32 * room)()
        count = self.library.ese_packet(self.handle, sent, len(packet), got, room)
        return count, list(got[: min(count, room)])

    def registers(self) -> Words:
        """The values of all registers that can be read."""
        return [self.library.ese_register(self.handle, offset) for offset in REGISTERS]

    def close(self) -> None:
        """Close the engine."""
        self.library.ese_close(self.handle)


def vectors(path: Path) -> list[Words]:
    """Packets in a file of test vectors; each is a count, followed by that many words in hexadecimal."""
    words, packets = iter(path.read_text(encoding="ascii").split()), []
    for count in words:
        packets.append([int(next(words), 16) for _ in range(int(count))])
    return packets


def load(image: Words) -> Words:
    """A LOAD packet of an image."""
    return [LOAD, len(image), *image]


def run(image: Words, flags: int, lengths: tuple[int, ...], seed: int = 5) -> Words:
    """A RUN packet of random sequences.

    Args:
        image: words of the image.
        flags: flags of the packet.
        lengths: steps of each sequence.
        seed: of the random generator.
    """
    draw, width = random.Random(seed), (image[INPUTS_WORD] + 1) // 2  # noqa: S311 - no secrets
    packet = [RUN, flags, image[-1], len(lengths)]
    for steps in lengths:
        frames = [draw.getrandbits(32) for _ in range(steps * width)]
        if image[INPUTS_WORD] % 2:
            frames = [word & 0xFFFF if place % width == width - 1 else word for place, word in enumerate(frames)]
        packet += [steps, *frames]
    return packet


def altered(packet: Words, place: int, value: int) -> Words:
    """A copy of a packet with one word changed.

    Args:
        packet: words of the packet.
        place: number of the word; negative from the end.
        value: the new word.
    """
    changed = packet.copy()
    changed[place] = value
    return changed


def malformed(image: Words) -> Iterator[tuple[str, Words]]:
    """Malformed packets with their names, in an order in which the engine's state at each of them is known."""
    fair, good = run(image, 0, (2, 1)), load(image)
    yield "before any image", fair
    yield "reset before any image", [RESET]
    yield "one word of nothing", [0]
    yield "an unknown operation", [0x45530004, 1, 2, 3]
    yield "bytes the other way round", [int.from_bytes(word.to_bytes(4, "little"), "big") for word in good[:40]]
    yield "LOAD alone", [LOAD]
    yield "LOAD of nothing", [LOAD, 0]
    yield "LOAD of a header", [LOAD, 16, *image[:16]]
    yield "LOAD cut short", good[:-1]
    yield "LOAD half", good[: len(good) // 2]
    yield "LOAD and one word more", [*good, 7]
    yield "LOAD of a word less than it has", altered(good, 1, len(image) - 1)
    yield "LOAD of a word more than it has", altered(good, 1, len(image) + 1)
    yield "LOAD of 2^32 - 1 words", altered(good, 1, 0xFFFFFFFF)
    for place in range(16):
        yield f"LOAD, header word {place} off by one", altered(good, 2 + place, image[place] ^ 1)
        yield f"LOAD, header word {place} all ones", altered(good, 2 + place, 0xFFFFFFFF)
    for part in range(1, 8):
        place = len(image) * part // 8
        yield f"LOAD, bit flipped in part {part}", altered(good, 2 + place, image[place] ^ (1 << (4 * part)))
    yield "LOAD, wrong checksum", altered(good, -1, image[-1] ^ 1)
    yield "after a bad image", fair
    yield "LOAD, sound", good
    yield "RUN alone", [RUN]
    yield "RUN cut in its header", fair[:3]
    yield "RUN of another image", altered(fair, 2, image[-1] ^ 1)
    yield "RUN of no sequence", [*fair[:3], 0]
    yield "RUN of 2^32 - 1 sequences", altered(fair, 3, 0xFFFFFFFF)
    yield "RUN of no step", [*fair[:3], 1, 0]
    yield "RUN of 65536 steps", [*fair[:3], 1, 65536]
    yield "RUN cut in its steps", fair[:-1]
    yield "RUN cut between sequences", altered(run(image, 0, (2,)), 3, 2)
    yield "RUN and one word more", [*fair, 0]
    yield "RUN with unknown flags", altered(fair, 1, 0xFFFFFFFC)
    yield "RUN with every bit of a frame set", [*fair[:5], *(0xFFFFFFFF for _ in range((image[INPUTS_WORD] + 1) // 2))]
    yield "RUN, sound", fair
    yield "RESET and words", [RESET, 1, 2]
    yield "RESET, sound", [RESET]
    yield "RUN after RESET", fair


def sound(images: list[Words]) -> Iterator[tuple[str, Words]]:
    """Valid packets with their names, as a host sends them, for all images of a design."""
    for number, image in enumerate(images):
        yield f"image {number}: LOAD", load(image)
        yield f"image {number}: RUN", run(image, 0, (4, 1, 7))
        yield f"image {number}: RUN, traced", run(image, TRACE, (3, 2))
        yield f"image {number}: RUN, kept", run(image, KEEP, (3,), 6)
        yield f"image {number}: RUN, kept and traced", run(image, KEEP | TRACE, (2, 2), 7)
        yield f"image {number}: RUN, long", run(image, 0, (300,), 8)
        yield f"image {number}: RESET", [RESET]
        yield f"image {number}: RUN, kept after RESET", run(image, KEEP, (2,), 9)


def read_words(path: Path) -> Words:
    """The 32-bit words of an image file."""
    data = path.read_bytes()
    return [int.from_bytes(data[place : place + 4], "little") for place in range(0, len(data), 4)]


def answers(library: Path, project: Path) -> dict[str, dict[str, object]]:
    """Answers of a design by name of the packet: of the test vectors, of a host, and malformed ones."""
    others = sorted(project.glob("image-*.bin"), key=lambda path: int(path.stem.partition("-")[2]))
    images = [read_words(path) for path in (project / "image.bin", *others)]
    bench = [(f"test bench {number}", packet) for number, packet in enumerate(vectors(project / "tb" / "input.txt"))]
    answered: dict[str, dict[str, object]] = {}
    for packets in (bench, sound(images), malformed(images[0])):
        engine = LoadedEngine(library)
        for name, packet in packets:
            count, words = engine.answer(packet)
            answered[name] = {"words": count, "answer": words, "registers": engine.registers()}
        count, words = engine.answer(load(images[0]), 3)
        answered.setdefault(
            "no room for the answer", {"words": count, "answer": words, "registers": engine.registers()}
        )
        engine.close()
    return answered


if __name__ == "__main__":
    json.dump(answers(Path(sys.argv[1]), Path(sys.argv[2])), sys.stdout)
