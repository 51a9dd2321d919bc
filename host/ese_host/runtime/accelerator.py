# SPDX-License-Identifier: Apache-2.0
"""`Accelerator`: a design folder loaded on a device, ready to run sequences."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from ese_host.boards import processor
from ese_host.bundle import ChainImage, DesignModel, Folder
from ese_host.device import Closeable, DeviceLock, Driver, Platform, choose_platform
from ese_host.device.emulated import Faults
from ese_host.errors import DeviceError
from ese_host.image import Image
from ese_host.ir import Network
from ese_host.ir.program import Program
from ese_host.protocol import MAX_SEQUENCES, AnswerShape, Operation, RunResult, joined
from ese_host.runtime import transfers
from ese_host.runtime.batches import Batch, PacketLimits, Sequences, StepCounts, batches
from ese_host.runtime.control import Control
from ese_host.runtime.pace import BASE_SECONDS, Pace, seconds_allowed
from ese_host.runtime.pipeline import Pipeline
from ese_host.runtime.transfers import Transfer, Transfers
from ese_host.runtime.turns import Turns


class Accelerator(Closeable):
    """One engine with an image loaded. Use it as a context manager.

    Before anything is sent, the folder's files are checked against its manifest, the manifest's ids against the
    engine's registers and the image, and the sequences against the buffers. Every wait has a deadline. After the
    device has failed, the next call configures it again.

    Threads and asyncio tasks may share an accelerator: each call waits until those before it have ended. Between two
    results of a stream others may use it; `exclusive` makes several calls one.
    """

    def __init__(
        self,
        folder: str | Path | Folder,
        *,
        device: Any = None,
        driver: Driver = "auto",
        faults: Faults | None = None,
        timeout: float | None = None,
        trust: bool = False,
    ) -> None:
        """Load a design folder's bitstream and image.

        Args:
            folder: the design folder, bitstreams/<design>, or a path of it.
            device: a pynq Device, or None to choose one that fits the folder's kind.
            driver: "pynq", "adapter" (an emulated board without pynq), or "auto" for pynq if it is installed.
            faults: faults to inject into an emulated board.
            timeout: seconds to wait for the answer to one packet; None allows each packet what its work needs, with a
                generous margin.
            trust: whether an emulated bitstream, which is native code, may be loaded although this user did not build
                it.

        Raises:
            UntrustedError: if an emulated bitstream is neither in this user's record of builds nor trusted.
            EseError: if the folder is invalid, its files do not belong together, or the device fails.
        """
        self.timeout = None if timeout is None else seconds_allowed(timeout)
        self._model = DesignModel.read(Folder.open(folder))
        self._loaded = self._model.parts[0]
        self._bitstream = self.folder
        start = BASE_SECONDS if timeout is None else timeout
        platform, tag = choose_platform(
            self.folder, device=device, driver=driver, faults=faults, timeout=start, trust=trust
        )
        self._turns = Turns()
        self._lock = DeviceLock(tag)
        self._platform: Platform | None = platform
        self._transfers = Transfers(platform)
        self._control = Control(platform, self._transfers)
        self._pace = self._pace_of(self._loaded.image, 0.0)
        self._pipeline = Pipeline(self._transfers)
        try:
            self.configure()
        except BaseException:
            self.close()
            raise

    @property
    def folder(self) -> Folder:
        """The design folder whose image is loaded."""
        return self._model.folder

    @property
    def program(self) -> Program:
        """The folder's model as a program of one or more chains."""
        return self._model.program

    @property
    def parts(self) -> tuple[ChainImage, ...]:
        """The image of each of the program's chains, in the order of the chains."""
        return self._model.parts

    @property
    def chain(self) -> str:
        """Name of the chain whose image is loaded."""
        return self._loaded.chain

    @property
    def network(self) -> Network:
        """The golden model's network for the loaded image."""
        return self._loaded.network

    @property
    def image(self) -> Image:
        """The loaded image."""
        return self._loaded.image

    @property
    def shape(self) -> AnswerShape:
        """The shape of the answers that the loaded image gives."""
        return self._loaded.shape

    @property
    def driver(self) -> str:
        """The library that drives the device: "pynq" or "adapter"."""
        return self._device().driver

    @property
    def emulated(self) -> bool:
        """Whether the engine is compiled C++ instead of hardware."""
        return self.folder.manifest.kind == "emulated"

    def require_open(self) -> None:
        """Check that this process may use the device.

        Raises:
            DeviceError: if the accelerator is closed, or this process is a forked child of the one that opened it.
        """
        self._device()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Context in which other threads wait, for calls that belong together, such as `select` and `run`.

        Do not await inside: other tasks of this thread do not wait.

        Raises:
            DeviceError: if the accelerator is closed or was opened before a fork, or a `run_async` of this thread has
                not ended.
        """
        self._device()
        with self._turns.take():
            self._device()
            yield

    def configure(self) -> None:
        """Load the bitstream and the image, whatever state the device is in.

        Raises:
            MismatchError: if the engine reports another design.
            DeviceError: if the device fails or does not answer in time.
        """
        with self.exclusive():
            self._configure()

    def load(self, folder: str | Path | Folder) -> None:
        """Load another folder's image into this engine. The bitstream stays; the weights change.

        Args:
            folder: a folder of the same design.

        Raises:
            MismatchError: if the folder is of another design.
            EseError: if the folder is invalid, or the device fails.
        """
        model = DesignModel.read(Folder.open(folder)).for_engine_of(self._bitstream)
        with self.exclusive():
            self._prepare()
            self._load(model.parts[0].image)
            self._model, self._loaded = model, model.parts[0]

    def select(self, chain: str) -> bool:
        """Load a chain's image unless the engine holds it already; returns whether it was loaded.

        Raises:
            MismatchError: if the program has no such chain.
            DeviceError: if the device fails.
        """
        with self.exclusive():
            part = self._model.part(chain)
            if part is not self._loaded:
                self._pipeline.forget_state()
            if part is self._loaded or np.array_equal(part.image.words, self._loaded.image.words):
                self._loaded = part
                return False
            self._prepare()
            self._load(part.image)
            self._loaded = part
            return True

    def run(
        self,
        inputs: Sequences,
        lengths: StepCounts | None = None,
        *,
        trace: bool = False,
        keep: bool = False,
        timeout: float | None = None,
    ) -> RunResult:
        """Run sequences through the engine and return all their outputs.

        Args:
            inputs: (N, T, inputs) codes in the network's input format, or N arrays (steps, inputs).
            lengths: (N,) steps to run of each sequence, or None to run all of them.
            trace: whether to return every element-wise result too.
            keep: whether to start from the state that the previous sequence left, instead of from zero. That state is
                there only if the packet sent last is a run whose answer this thread has read, or its `reset`.
            timeout: seconds to wait for the answer to one packet; None takes the accelerator's own timeout, or what
                the packet's work needs.

        Raises:
            MismatchError: if the state to start from is lost: after a failure, `configure`, `load` or `select`, or if
                a run of another thread or a stream left unfinished came between.
            FormatError: if the inputs have another shape or do not fit the input format, or the timeout is not allowed.
            CapacityError: if one sequence is too long for a DMA transfer.
            DeviceError: if the device fails; the next call configures it again.
        """
        with self.exclusive():
            return joined(list(self.stream(inputs, lengths, trace=trace, keep=keep, timeout=timeout)))

    def stream(
        self,
        inputs: Sequences,
        lengths: StepCounts | None = None,
        *,
        trace: bool = False,
        keep: bool = False,
        batch: int = MAX_SEQUENCES,
        timeout: float | None = None,
    ) -> Iterator[RunResult]:
        """Run sequences like `run`, but yield the result of each packet as it arrives.

        The engine works on the next packet while the caller uses the result of the one before.

        Args:
            inputs: as in `run`.
            lengths: as in `run`.
            trace: as in `run`.
            keep: as in `run`.
            batch: the most sequences to put into one packet; the buffers may hold fewer.
            timeout: as in `run`.

        Raises:
            MismatchError: as in `run`.
            FormatError: if the inputs have another shape or do not fit the input format, or the timeout is not allowed.
            CapacityError: if one sequence is too long for a DMA transfer.
            DeviceError: if the device fails, or another image is loaded before the stream ends.
        """
        steps = self._pipeline.steps(self._fill(inputs, lengths, trace, keep, batch, timeout), self._prepare)
        while True:
            with self.exclusive():
                step = next(steps, None)
                while isinstance(step, Transfer):
                    self._transfers.wait(step)
                    step = next(steps, None)
            if step is None:
                return
            yield step

    async def run_async(
        self,
        inputs: Sequences,
        lengths: StepCounts | None = None,
        *,
        trace: bool = False,
        keep: bool = False,
        batch: int = MAX_SEQUENCES,
        timeout: float | None = None,
    ) -> RunResult:
        """Run sequences like `run`, but let other asyncio tasks run meanwhile, for example in Jupyter.

        The DMA's interrupts wake the task if pynq offers them; otherwise it polls. Tasks and threads that use the
        accelerator meanwhile wait; a call of another method in the same thread is refused, as it would wait for ever.

        Args:
            inputs: as in `run`.
            lengths: as in `run`.
            trace: as in `run`.
            keep: as in `run`.
            batch: the most sequences to put into one packet; the buffers may hold fewer.
            timeout: as in `run`.

        Raises:
            MismatchError: as in `run`.
            FormatError: if the inputs have another shape or do not fit the input format, or the timeout is not allowed.
            CapacityError: if one sequence is too long for a DMA transfer.
            DeviceError: if the device fails; the next call configures it again.
        """
        self._device()
        results: list[RunResult] = []
        async with self._turns.take_async():
            packets = self._fill(inputs, lengths, trace, keep, batch, timeout)
            for step in self._pipeline.steps(packets, self._prepare, interrupts=True):
                if isinstance(step, Transfer):
                    await self._transfers.wait_async(step)
                else:
                    results.append(step)
        return joined(results)

    @property
    def packets(self) -> int:
        """How many packets were sent to the device: a user of the state sees by it whether somebody came between."""
        return self._transfers.sent

    @property
    def waited(self) -> float:
        """Processor seconds that threads have spent polling for answers, rather than on packets and results."""
        return self._transfers.waited

    @property
    def on_board(self) -> bool:
        """Whether this process runs on the board itself, so that the engine is neither emulated nor remote."""
        return not self.emulated and not self._device().exact_buffers

    @property
    def interrupts(self) -> bool:
        """Whether the DMA's interrupts reach this process, so that `run_async` can wait for them."""
        self._device()
        return self._transfers.interrupts

    def reset(self) -> None:
        """Clear the engine's state, so that a sequence may start from zero with `keep`; the image stays loaded.

        Raises:
            DeviceError: if the device does not answer in time.
        """
        with self.exclusive():
            self._transfers.drain()
            self._prepare()
            self._control.reset(self.image.image_id, self._pace)
            self._pipeline.may_continue()

    def close(self) -> None:
        """Free the buffers, the device and its lock, after the calls of other threads. Closing twice does no harm."""
        if self._lock.inherited:
            self._lock.release()
            return
        with nullcontext() if self._turns.endless else self._turns.take():
            platform, self._platform = self._platform, None
            if platform is not None:
                self._transfers.close()
                platform.close()
            self._lock.release()

    def _fill(
        self,
        inputs: Sequences,
        lengths: StepCounts | None,
        trace: bool,
        keep: bool,
        max_sequences: int,
        timeout: float | None,
    ) -> Iterator[tuple[Transfer, Batch]]:
        """Cut the sequences into packets, and fill a buffer with each packet when the caller asks for it."""
        self._device()
        loaded, pace = self._loaded, self._pace.within(timeout)
        limits = PacketLimits(transfers.BUFFER_WORDS, processor.MAX_TRANSFER_BYTES, pace.most_steps)
        image_id = loaded.image.image_id
        sizes: dict[str, Any] = {"max_sequences": max_sequences, "limits": limits}
        for batch in batches(image_id, loaded.shape, inputs, lengths, trace=trace, keep=keep, **sizes):
            if loaded is not self._loaded:
                raise DeviceError("another image was loaded in the middle of a stream: run the rest of it again")
            words, steps = len(batch.packet) + batch.answer_words, int(batch.steps.sum()) + len(batch.steps)
            allowed = pace.seconds(words, steps)
            yield self._transfers.fill(Operation.RUN, batch.packet, batch.answer_words, image_id, allowed), batch

    def _prepare(self) -> None:
        if not self._transfers.healthy:
            self._configure()

    def _configure(self) -> None:
        self._device()
        self._control.start(self._bitstream.manifest.design.design_id, min(self.timeout or 1.0, 1.0))
        self._load(self._loaded.image)

    def _load(self, image: Image) -> None:
        self._pace = self._pace_of(image, self._control.load(image, self._pace))

    def _pace_of(self, image: Image, load_seconds: float) -> Pace:
        manifest = self._bitstream.manifest
        if self.emulated and manifest.engine == "rtl":
            return Pace.of_simulation(image, manifest.design, self.timeout)
        if self.emulated:
            return Pace.of_emulation(image, manifest.design, load_seconds, self.timeout)
        return Pace.of_board(image, manifest.clock_mhz, self.timeout)

    def _device(self) -> Platform:
        if self._lock.inherited:
            raise DeviceError(
                f"{self._lock.tag}: process {self._lock.process} opened this accelerator, and its forked child "
                f"{os.getpid()} cannot use it: open the folder again in the child, on a device that is free"
            )
        if self._platform is None:
            raise DeviceError("the accelerator is closed; open the folder again")
        return self._platform
