# SPDX-License-Identifier: Apache-2.0
"""A session: frames one after the other through an engine that keeps its state between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from ese_host.device import Closeable
from ese_host.errors import DeviceError, EseError, FormatError, MismatchError
from ese_host.interface import Floats, ModelInterface, as_floats, numbers_of
from ese_host.ir import Codes
from ese_host.ir.program import ProgramRun, Value, running
from ese_host.protocol import RunResult
from ese_host.runtime.accelerator import Accelerator
from ese_host.runtime.engine.frame_program import frame_program
from ese_host.runtime.runner import target_codes

MOST_FRAMES = 4096
"""Most frames of one packet."""
GO_ON = "call reset(), and feed the sequence from its first frame"


class Session(Closeable):
    """Frames of one sequence, as they come. `Engine.session` makes it; closing it leaves the engine open.

    After n frames the output is what `predict` gives for a sequence of these n frames, bit for bit, whatever length the
    model's own input has. The state is in the engine, so that any other use of the engine in between loses it: the next
    frame is then refused until `reset`.
    """

    def __init__(self, accelerator: Accelerator, interface: ModelInterface) -> None:
        """Begin a session, whose first frame starts from the zero state.

        Raises:
            UnsupportedError: if the program needs more than a frame and the engine's state.
        """
        accelerator.require_open()
        self._accelerator, self._interface = accelerator, interface
        self._program, self._chain = frame_program(accelerator.program)
        self._input = interface.inputs[0]
        self._width = self._program.inputs[0].width
        self._fresh, self._lost, self._closed = True, "", False
        self._cycles = 0
        self._packets = 0  # sent by the accelerator up to the last frame of this session

    @property
    def width(self) -> int:
        """Elements of a frame."""
        return self._width

    @property
    def cycles(self) -> int:
        """The engine's loop iterations for all frames so far."""
        return self._cycles

    def step(self, frame: Any, *, scaled: bool = False) -> Any:
        """Run one frame; returns its output (width,), in a list or dict if the model has one.

        Args:
            frame: (features,) numbers.
            scaled: whether they are the model's input already; otherwise they are recorded values.

        Raises:
            FormatError: if the frame has another shape, or is not finite; the state is as before.
            MismatchError: if the state is lost.
            EseError: if the device fails; the state is lost then.
        """
        return self._first(self.run(self._one(frame), scaled=scaled))

    def feed(self, frames: Any, *, scaled: bool = False) -> Any:
        """Run several frames in one packet, which costs fewer calls; returns the output of each, (frames, width).

        Args:
            frames: (frames, features) numbers.
            scaled: as in `step`.

        Raises:
            FormatError: as in `step`.
            MismatchError: as in `step`.
            EseError: as in `step`.
        """
        array = self._several(frames)
        if not len(array):
            shapes = [self._program.tensors[output.tensor].width for output in self._program.outputs]
            return self._interface.packed([np.zeros((0, width), np.float32) for width in shapes])
        return self._interface.packed(self._outputs(self.run(array, scaled=scaled)))

    async def step_async(self, frame: Any, *, scaled: bool = False) -> Any:
        """Run one frame like `step`, but let other asyncio tasks run meanwhile.

        Args:
            frame: as in `step`.
            scaled: as in `step`.

        Raises:
            FormatError: as in `step`.
            MismatchError: as in `step`.
            EseError: as in `step`.
        """
        steps = running(self._program, self._codes(self._one(frame), scaled))
        _, fed = next(steps)
        with self._keeping(alone=False):
            result = await self._accelerator.run_async(fed.codes, keep=not self._fresh)
        return self._first(self._finished(steps, result))

    def run(self, frames: Any, *, scaled: bool = False) -> ProgramRun:
        """Run at least one frame; returns the run, in which each frame is a sample of one step.

        Args:
            frames: (frames, features) numbers.
            scaled: as in `step`.

        Raises:
            FormatError: as in `step`.
            MismatchError: as in `step`.
            EseError: as in `step`.
        """
        steps = running(self._program, self._codes(self._several(frames), scaled))
        _, fed = next(steps)
        with self._accelerator.exclusive():
            results = [self._send(part) for part in self._parts(fed)]
        return self._finished(steps, *results)

    def reset(self) -> None:
        """Start again: the next frame is the first of a new sequence."""
        self._require_open()
        self._fresh, self._lost = True, ""

    def close(self) -> None:
        """End the session; the engine stays open. Closing twice does no harm."""
        self._closed = True

    def _send(self, part: Codes) -> RunResult:
        """Run the frames (sequences, steps, width) of one packet."""
        with self._keeping(alone=True):
            return self._accelerator.run(part, keep=not self._fresh)

    def _parts(self, fed: Value) -> Iterator[Codes]:
        """The frames of each packet.

        The engine sends outputs for every step of a sequence, or only for its last one; then each frame is a sequence
        of its own. A packet either starts all its sequences from zero or none, so that the first frame of a session
        then has a packet of its own.
        """
        codes = fed.codes
        if not self._chain.network.every_step and self._fresh:
            yield codes[:1]
            codes = codes[1:]
        for start in range(0, len(codes), MOST_FRAMES):
            part = codes[start : start + MOST_FRAMES]
            yield part.swapaxes(0, 1) if self._chain.network.every_step else part

    @contextmanager
    def _keeping(self, *, alone: bool) -> Iterator[None]:
        """Context in which frames are run that continue from this session's state; it is lost if anything fails.

        Args:
            alone: whether nobody else can use the engine inside; otherwise a single packet is sent.
        """
        self._require_open()
        before = self._accelerator.packets
        if not self._lost and not self._fresh and before != self._packets:
            self._lost = "the engine was used for something else"
        if self._lost:
            raise MismatchError(f"the session has lost its state, because {self._lost}: {GO_ON}")
        self._lost = "a frame was interrupted"
        try:
            yield
        except EseError as error:
            self._lost = "a frame failed"
            raise type(error)(f"{error}; the session has lost its state: {GO_ON}") from error
        self._packets = self._accelerator.packets
        if not (alone or self._fresh) and self._packets != before + 1:
            self._lost = "the engine was used for something else"
            raise MismatchError(f"the session has lost its state, because {self._lost}: {GO_ON}")
        self._fresh, self._lost = False, ""

    def _finished(self, steps: Any, *results: RunResult) -> ProgramRun:
        """The run, from the engine's results."""
        self._cycles += sum(result.cycles for result in results)
        codes = [target_codes(self._program, self._chain, result, strict=True) for result in results]
        width = codes[0].shape[2]
        try:
            steps.send(np.concatenate([part.reshape(-1, 1, width) for part in codes]))
        except StopIteration as end:
            finished: ProgramRun = end.value
            return finished
        raise AssertionError("a session's program has one chain")

    def _codes(self, frames: npt.NDArray[np.float64], scaled: bool) -> Codes:
        floats = as_floats(frames if scaled else self._input.scaled(frames), self._input.name)
        return self._program.inputs[0].codes(floats[:, None])

    def _one(self, frame: Any) -> npt.NDArray[np.float64]:
        array = numbers_of(frame, "the frame")
        if array.shape != (self._width,) and not (self._width == 1 and array.shape == ()):
            raise FormatError(f"the frame has shape {array.shape}; the model takes ({self._width},)")
        return array.astype(np.float64).reshape(1, self._width)

    def _several(self, frames: Any) -> npt.NDArray[np.float64]:
        array = numbers_of(frames, "frames")
        if array.shape[1:] != (self._width,):
            raise FormatError(
                f"frames have shape {array.shape}; the model takes (frames, {self._width}): give one frame to step(), "
                "or a batch of one, frames[None]"
            )
        return array.astype(np.float64)

    def _outputs(self, run: ProgramRun) -> list[Floats]:
        """(frames, width) values of each output."""
        return [run.values(output.name)[:, 0].astype(np.float32) for output in self._program.outputs]

    def _first(self, run: ProgramRun) -> Any:
        """The outputs of the only frame, nested as the model nests its outputs."""
        return self._interface.packed([values[0] for values in self._outputs(run)])

    def _require_open(self) -> None:
        if self._closed:
            raise DeviceError("the session is closed; begin another one with the engine's session()")
