"""A program's chains on a compiled engine alone: packets straight into it, no board and no DMA."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ese_host.device.emulated import EmulatedEngine
from ese_host.errors import DeviceError
from ese_host.ir.program import Program
from ese_host.protocol import TRAILER_WORDS, AnswerShape, Operation, RunResult, Words, joined, load_packet, read_trailer
from ese_host.runtime.batches import Sequences, StepCounts, batches

BATCH = 64
"""Sequences a packet."""


class DirectEngine:
    """A compiled engine that holds one of a program's images at a time; the engine stays its owner's to close."""

    def __init__(self, engine: EmulatedEngine, program: Program, images: Sequence[Words]) -> None:
        """Run a program on an engine.

        Args:
            engine: it may hold anything; nobody else sends it packets meanwhile.
            program: what the images were made of.
            images: words of each chain's image, in the order of the chains.
        """
        self._engine, self._program = engine, program
        self._parts = {
            chain.name: (words, AnswerShape.of(chain.network))
            for chain, words in zip(program.chains, images, strict=True)
        }
        self._held: tuple[str, int] | None = None

    @property
    def program(self) -> Program:
        """The program whose chains it runs."""
        return self._program

    def select(self, chain: str) -> bool:
        """Load a chain's image, unless the engine holds it; returns whether it was loaded.

        Raises:
            DeviceError, MismatchError, FormatError: the engine refuses the image.
        """
        if self._held is not None and self._held[0] == chain:
            return False
        self._held = None
        loaded = read_trailer(self._engine.packet(load_packet(self._parts[chain][0]), TRAILER_WORDS))
        loaded.require(Operation.LOAD)
        self._held = chain, loaded.image_id
        return True

    def run(self, inputs: Sequences, lengths: StepCounts | None = None, *, trace: bool = False) -> RunResult:
        """`Accelerator.run`, in packets of `BATCH` sequences, on the chain that was selected last.

        Raises:
            FormatError: inputs of another shape or format. DeviceError: the engine does not do as told.
        """
        if self._held is None:
            raise DeviceError("the engine holds no image: select a chain first")
        chain, image_id = self._held
        parts = []
        for batch in batches(image_id, self._parts[chain][1], inputs, lengths, trace=trace, most=BATCH):
            begun = time.perf_counter()
            answer = self._engine.packet(batch.packet, batch.answer_words)
            seconds = time.perf_counter() - begun
            trailer = read_trailer(answer)
            trailer.require(Operation.RUN)
            parts.append(batch.result(answer, trailer, seconds))
        return joined(parts)
