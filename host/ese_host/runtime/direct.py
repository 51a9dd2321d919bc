# SPDX-License-Identifier: Apache-2.0
"""Run a program's chains on a compiled engine directly: packets go straight into it, without a board or a DMA."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager

from ese_host.device.emulated import EmulatedEngine
from ese_host.errors import DeviceError
from ese_host.ir.program import Program
from ese_host.protocol import (
    REGISTERS,
    TRAILER_WORDS,
    AnswerShape,
    Operation,
    RunResult,
    Words,
    check_version,
    joined,
    load_packet,
    read_trailer,
)
from ese_host.runtime.batches import Sequences, StepCounts, batches
from ese_host.runtime.turns import Turns

BATCH = 64
"""Most sequences in one packet."""


class DirectEngine:
    """A compiled engine that holds one of a program's images at a time. Closing the engine is left to its owner."""

    def __init__(self, engine: EmulatedEngine, program: Program, images: Sequence[Words]) -> None:
        """Run a program on an engine.

        Args:
            engine: the engine, whatever image it holds; nobody else may send it packets meanwhile.
            program: the program that the images were made from.
            images: 32-bit words of each chain's image, in the order of the chains.

        Raises:
            MismatchError: if the engine speaks another version of the protocol.
        """
        check_version("the compiled engine", engine.register(REGISTERS["version"].offset))
        self._engine, self._program = engine, program
        self._parts = {
            chain.name: (words, AnswerShape.of(chain.network))
            for chain, words in zip(program.chains, images, strict=True)
        }
        self._loaded: tuple[str, int] | None = None  # chain and image id
        self._turns = Turns()

    @property
    def program(self) -> Program:
        """The program whose chains it runs."""
        return self._program

    def exclusive(self) -> AbstractContextManager[None]:
        """Context in which other threads wait; `run_program` runs its chains in it."""
        return self._turns.take()

    def select(self, chain: str) -> bool:
        """Load a chain's image unless the engine holds it already; returns whether it was loaded.

        Raises:
            MismatchError: if the engine refuses the image because it is of another design or too large.
            FormatError: if the engine refuses the image's header.
            DeviceError: if the image's checksum is wrong, or the engine does not answer as documented.
        """
        if self._loaded is not None and self._loaded[0] == chain:
            return False
        self._loaded = None
        trailer = read_trailer(self._engine.packet(load_packet(self._parts[chain][0]), TRAILER_WORDS))
        trailer.require(Operation.LOAD)
        self._loaded = chain, trailer.image_id
        return True

    def run(self, inputs: Sequences, lengths: StepCounts | None = None, *, trace: bool = False) -> RunResult:
        """Run sequences through the chain that was selected last, in packets of `BATCH` sequences.

        Args:
            inputs: (N, T, inputs) codes in the network's input format, or N arrays (steps, inputs).
            lengths: (N,) steps to run of each sequence, or None to run all of them.
            trace: whether to return every element-wise result too.

        Raises:
            FormatError: if the inputs have another shape or do not fit the input format.
            DeviceError: if no chain was selected, or the engine does not answer as documented.
        """
        if self._loaded is None:
            raise DeviceError("the engine holds no image: select a chain first")
        chain, image_id = self._loaded
        parts = []
        for batch in batches(image_id, self._parts[chain][1], inputs, lengths, trace=trace, max_sequences=BATCH):
            begun = time.perf_counter()
            answer = self._engine.packet(batch.packet, batch.answer_words)
            seconds = time.perf_counter() - begun
            trailer = read_trailer(answer)
            trailer.require(Operation.RUN)
            parts.append(batch.result(answer, trailer, seconds))
        return joined(parts)
