# SPDX-License-Identifier: Apache-2.0
"""Cases for the proof in RTL: small networks on small designs, with valid and with malformed packets."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ese_hls.build import Synthesis, cosimulate
from ese_hls.encode import encoder, fit_design
from ese_hls.project import vectors
from ese_host.image import Design
from ese_host.ir import Network
from ese_host.protocol import ErrorCode, Words, packets
from support.compiled_engine import write_sources
from support.networks import SMOOTH16, Spec, inputs, network

DENSE: dict[str, Any] = {"inputs": 9, "units": (), "density": 0.4}
SEQUENCES, STEPS = 2, 2


@dataclass(frozen=True)
class RtlCase:
    """A network and its design, by which the engine is proved in RTL.

    Attributes:
        shows: what the case demonstrates, for the page's table.
        spec: the network.
        pes: processing elements of the design.
        options: further arguments of `choose_design`.
        malformed: whether packets are sent as well that the engine must refuse.
    """

    shows: str
    spec: Spec
    pes: int
    options: dict[str, Any] = field(default_factory=dict)
    malformed: bool = False

    def make(self) -> tuple[Network, Design]:
        """The network and a design for it, the same on every call."""
        seeded = network(np.random.default_rng(2017), self.spec)
        return seeded, fit_design.choose_design(seeded, pes=self.pes, cells_per_cycle=1, gap_bits=4, **self.options)


CASES = {
    "ternary-4": RtlCase("Dense, ternary", Spec(kind="ternary", outputs=6, **DENSE), 4),
    "ternary-8": RtlCase("Dense, ternary", Spec(kind="ternary", outputs=10, **DENSE), 8),
    "int4-4": RtlCase("Dense, int4", Spec(kind="int4", outputs=6, **DENSE), 4),
    "int4-8": RtlCase("Dense, int4", Spec(kind="int4", outputs=10, **DENSE), 8),
    "codebook4-4": RtlCase("Dense, codebook4", Spec(kind="codebook4", outputs=6, **DENSE), 4),
    "codebook4-8": RtlCase("Dense, codebook4", Spec(kind="codebook4", outputs=10, **DENSE), 8),
    "int16-4": RtlCase("Dense, int16", Spec(kind="int16", outputs=6, **DENSE), 4),
    "full-4": RtlCase(
        "Dense, int4, stored full",
        Spec(kind="int4", inputs=9, units=(), outputs=6, pattern="full"),
        4,
        {"storage": "full"},
    ),
    "lstm": RtlCase(
        "LSTM cell, Dense; malformed packets", Spec(inputs=3, units=(4,), outputs=2, density=0.4), 2, malformed=True
    ),
    "projection": RtlCase(
        "LSTM cell with peepholes and projection",
        Spec(inputs=3, units=(5,), projection=3, peepholes=True, outputs=0, sequences=True, activations=SMOOTH16),
        4,
    ),
    "skip": RtlCase(
        "Dense after ReLU, skip mode", Spec(inputs=9, units=(), hidden=(6,), outputs=4), 4, {"mode": "skip"}
    ),
    "skip-full": RtlCase(
        "the same, int4, stored full",
        Spec(kind="int4", inputs=9, units=(), hidden=(6,), outputs=4, pattern="full"),
        4,
        {"mode": "skip", "storage": "full"},
    ),
}


def signed_off(image: Words) -> Words:
    """The image, which is changed, with its CRC made right."""
    image[-1] = zlib.crc32(image[:-1].astype("<u4").tobytes())
    return image


def malformed(load: Words, run: Words) -> Iterator[tuple[Words, ErrorCode]]:
    """Malformed packets and the error code that answers each; after the last the engine holds no image."""
    yield np.array([0x12345678, 1, 2], dtype=np.uint32), ErrorCode.BAD_OPERATION
    yield np.append(run, np.uint32(7)), ErrorCode.LONG_PACKET
    yield run[:-1], ErrorCode.SHORT_PACKET
    wrong = run.copy()
    wrong[2] ^= 1
    yield wrong, ErrorCode.WRONG_IMAGE
    damaged = load.copy()
    damaged[len(damaged) // 2] ^= 1
    yield damaged, ErrorCode.BAD_CRC
    yield run, ErrorCode.NO_IMAGE
    yield load[:5], ErrorCode.SHORT_PACKET


def exchange(
    case: RtlCase, design: Design | None = None
) -> tuple[Design, list[Words], list[Words | None], list[ErrorCode]]:
    """The design, the packets, their golden answers (None if a packet is refused), and the error code of each.

    Args:
        case: the case.
        design: a design that holds its network; by default its own.
    """
    net, own = case.make()
    design = design or own
    stored = encoder.encode(net, design, case.options.get("storage", "auto"))
    image = np.frombuffer(stored, dtype="<u4").astype(np.uint32)
    codes = inputs(np.random.default_rng(7), net, SEQUENCES, STEPS)
    sent, golden = vectors.vectors(net, image, codes)
    answers: list[Words | None] = list(golden)
    errors = [ErrorCode.OK] * len(sent)
    if case.malformed:
        load, run = sent
        for packet, error in malformed(load, run):
            sent.append(packet)
            answers.append(None)
            errors.append(error)
        # after all the malformed packets, RESET, LOAD and RUN still work
        sent += [packets.reset_packet(), load, run]
        answers += [None, *golden]
        errors += [ErrorCode.OK] * 3
    return design, sent, answers, errors


def prove(name: str, folder: Path) -> Synthesis:
    """Synthesize a case in a new folder, simulate its RTL, and check the error codes of the answers.

    Raises:
        ToolError: if Bambu fails, or RTL, g++ and golden model differ.
        AssertionError: if an answer has another error code than expected.
    """
    design, sent, golden, errors = exchange(CASES[name])
    write_sources(folder, design)
    report = cosimulate(folder, sent, golden)
    answers = vectors.read(folder / "bambu" / vectors.EXPECTED)
    assert [packets.read_trailer(answer).error for answer in answers] == errors
    return report
