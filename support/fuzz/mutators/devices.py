# SPDX-License-Identifier: Apache-2.0
"""Mutators of an emulated board: each makes the faults of a run of four packets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ese_host.device.emulated import Faults, PacketFault
from ese_host.protocol import REGISTERS, DmaBit, Words
from support.fuzz.mutators.damage import Rng, damage_words, pick

BITS = (DmaBit.INTERNAL, DmaBit.SLAVE, DmaBit.DECODE)


def _words(rng: Rng) -> Callable[[Words], Words]:
    def alter(words: Words) -> Words:
        damage_words(rng, words, 0, len(words))
        return words

    return alter


def _one_bit(rng: Rng) -> Callable[[Words], Words]:
    def alter(words: Words) -> Words:
        words[rng.integers(len(words))] ^= np.uint32(1 << int(rng.integers(32)))
        return words

    return alter


def _short(rng: Rng) -> Callable[[Words], Words]:
    return lambda words: words[: int(rng.integers(len(words)))]


def _long(rng: Rng) -> Callable[[Words], Words]:
    return lambda words: np.append(words, words[: int(rng.integers(1, len(words) + 1))])


def _moved(rng: Rng) -> Callable[[Words], Words]:
    return lambda words: np.roll(words, int(rng.integers(1, len(words))))


def _in_packet(alter: Callable[[Rng], Callable[[Words], Words]]) -> Callable[[Rng, Faults], None]:
    return lambda rng, faults: _put(rng, faults, PacketFault(packet=alter(rng)))


def _in_answer(alter: Callable[[Rng], Callable[[Words], Words]]) -> Callable[[Rng, Faults], None]:
    return lambda rng, faults: _put(rng, faults, PacketFault(answer=alter(rng)))


def _put(rng: Rng, faults: Faults, fault: PacketFault) -> None:
    """Give the fault to one of the next packets: that of the image, or one of the runs after it."""
    faults.packets = [None] * int(rng.integers(3)) + [fault]


def _hang(rng: Rng, faults: Faults) -> None:
    _put(rng, faults, PacketFault(hang=float(pick(rng, (0.01, 0.1, 30.0)))))


def _lost(rng: Rng, faults: Faults) -> None:
    _put(rng, faults, pick(rng, (PacketFault(swallow=True), PacketFault(lose_last=True))))


def _dma(rng: Rng, faults: Faults) -> None:
    setattr(faults, pick(rng, ("send_errors", "receive_errors")), int(pick(rng, BITS)))


def _registers(rng: Rng, faults: Faults) -> None:
    value = int(pick(rng, (0, 1, 0xFFFFFFFF, int(rng.integers(1 << 32)))))
    faults.registers = {pick(rng, list(REGISTERS.values())).offset: value}


def _memory(_: Rng, faults: Faults) -> None:
    faults.no_memory = True


def _unplugged(_: Rng, faults: Faults) -> None:
    faults.unplugged = True


DEVICES: dict[str, Callable[[Rng, Faults], None]] = {
    "device-hang": _hang,
    "device-lost": _lost,
    "device-dma": _dma,
    "device-registers": _registers,
    "device-memory": _memory,
    "device-unplugged": _unplugged,
    "device-packet-words": _in_packet(_words),
    "device-packet-short": _in_packet(_short),
    "device-packet-long": _in_packet(_long),
    "device-packet-moved": _in_packet(_moved),
    "device-answer-words": _in_answer(_words),
    "device-answer-bit": _in_answer(_one_bit),
    "device-answer-short": _in_answer(_short),
    "device-answer-long": _in_answer(_long),
    "device-answer-moved": _in_answer(_moved),
}
"""Mutators of an emulated board's faults."""
