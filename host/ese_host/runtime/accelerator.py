"""`Accelerator`: a design folder on a device, ready to run sequences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
from ese_host.runtime.transfers import Transfer, Transfers


class Accelerator(Closeable):
    """One engine, with its image loaded. Use it as a context manager.

    Everything is checked before anything is sent: the folder's files against its manifest, the manifest's ids against
    the engine's registers and the image, lengths against the buffers. Every wait has a deadline. After a failure of
    the device the next call configures it anew.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        device: Any = None,
        driver: Driver = "auto",
        faults: Faults | None = None,
        timeout: float = 5.0,
    ) -> None:
        """Load a design folder's bitstream and image.

        Args:
            folder: bitstreams/<design>.
            device: a pynq Device; None for the one that fits.
            driver: "pynq", "adapter" (emulation without pynq), or "auto".
            faults: for emulated boards.
            timeout: seconds that one packet may take.

        Raises:
            EseError: the folder is not sound, its parts do not fit each other, or the device does not do as told.
        """
        self.timeout = timeout
        self._model = DesignModel.read(Folder.open(Path(folder)))
        self._loaded = self._model.parts[0]
        self._bitstream = self.folder
        platform, tag = choose_platform(self.folder, device=device, driver=driver, faults=faults, timeout=timeout)
        self._lock = DeviceLock(tag)
        self._platform: Platform | None = platform
        self._transfers = Transfers(platform, timeout)
        self._control = Control(platform, self._transfers)
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
        """The folder's model as a program, of one chain or several."""
        return self._model.program

    @property
    def parts(self) -> tuple[ChainImage, ...]:
        """What each of the program's chains loads, in their order."""
        return self._model.parts

    @property
    def network(self) -> Network:
        """The golden model's network of the image loaded."""
        return self._loaded.network

    @property
    def image(self) -> Image:
        """The image loaded."""
        return self._loaded.image

    @property
    def shape(self) -> AnswerShape:
        """Shape of the answers of the image loaded."""
        return self._loaded.shape

    @property
    def driver(self) -> str:
        """The library that drives the device: "pynq" or "adapter"."""
        return self._device().driver

    @property
    def emulated(self) -> bool:
        """Whether the engine is compiled C++ and not a chip."""
        return self.folder.manifest.kind == "emulated"

    def configure(self) -> None:
        """Load bitstream and image, whatever the state of the device.

        Raises:
            MismatchError: another design answers. DeviceError: the device does not do as told.
        """
        self._device()
        self._control.start(self._bitstream.manifest.design.design_id, min(self.timeout, 1.0))
        self._control.load(self._loaded.image)

    def load(self, folder: str | Path) -> None:
        """Load another folder's image into this engine: the bitstream stays, the weights change.

        Args:
            folder: a design folder of the same design.

        Raises:
            MismatchError: it is of another design. EseError: the folder is not sound, or the device fails.
        """
        model = DesignModel.read(Folder.open(Path(folder))).for_engine_of(self._bitstream)
        self._prepare()
        self._control.load(model.parts[0].image)
        self._model, self._loaded = model, model.parts[0]

    def select(self, chain: str) -> bool:
        """Load a chain's image, unless the engine holds it; returns whether it was loaded.

        Raises:
            MismatchError: there is no such chain. DeviceError: the device fails.
        """
        part = self._model.part(chain)
        if part is self._loaded or part.image.image_id == self._loaded.image.image_id:
            self._loaded = part
            return False
        self._prepare()
        self._control.load(part.image)
        self._loaded = part
        return True

    def run(
        self, inputs: Sequences, lengths: StepCounts | None = None, *, trace: bool = False, keep: bool = False
    ) -> RunResult:
        """Run sequences: (N, T, inputs) codes in the network's input format, or N arrays (steps, inputs).

        Args:
            inputs: the codes.
            lengths: (N,) steps of each sequence; None where all T count.
            trace: stream every element-wise result.
            keep: continue from the state that the last sequence left.

        Raises:
            FormatError: inputs of another shape or format. CapacityError: a sequence too long for one transfer.
            DeviceError: the device failed; the next call configures it anew.
        """
        return joined(list(self.stream(inputs, lengths, trace=trace, keep=keep)))

    def stream(
        self,
        inputs: Sequences,
        lengths: StepCounts | None = None,
        *,
        trace: bool = False,
        keep: bool = False,
        batch: int = MAX_SEQUENCES,
    ) -> Iterator[RunResult]:
        """Like `run`, packet by packet, each of as many sequences as the buffers hold and `batch` allows.

        The engine works on the next packet while this one's result is in use.
        """
        for step in self._pipeline(self._fill(inputs, lengths, trace, keep, batch)):
            if isinstance(step, Transfer):
                self._transfers.wait(step)
            else:
                yield step

    async def run_async(
        self,
        inputs: Sequences,
        lengths: StepCounts | None = None,
        *,
        trace: bool = False,
        keep: bool = False,
        batch: int = MAX_SEQUENCES,
    ) -> RunResult:
        """`run` for asyncio, Jupyter's for one: by the DMA's interrupts where pynq has them, else by polling."""
        results: list[RunResult] = []
        for step in self._pipeline(self._fill(inputs, lengths, trace, keep, batch), interrupts=True):
            if isinstance(step, Transfer):
                await self._transfers.wait_async(step)
            else:
                results.append(step)
        return joined(results)

    @property
    def on_board(self) -> bool:
        """Whether this process runs on the board itself: no emulation, nothing remote."""
        return not self.emulated and not self._device().exact_buffers

    @property
    def interrupts(self) -> bool:
        """Whether the DMA's interrupts reach this process: `run_async` waits for them."""
        dma = self._device().dma
        return all(hasattr(getattr(c, "_interrupt", None), "event") for c in (dma.sendchannel, dma.recvchannel))

    def reset(self) -> None:
        """Clear the engine's state; the image stays.

        Raises:
            DeviceError: the device does not answer.
        """
        self._transfers.drain()
        self._prepare()
        self._control.reset(self.image.image_id)

    def close(self) -> None:
        """Free buffers, device and lock; a second time does nothing."""
        platform, self._platform = self._platform, None
        if platform is not None:
            self._transfers.close()
            platform.close()
        self._lock.release()

    def _fill(
        self, inputs: Sequences, lengths: StepCounts | None, trace: bool, keep: bool, most: int
    ) -> Iterator[tuple[Transfer, Batch]]:
        """Packets in their buffers, one after the other; the next is made when it is asked for."""
        self._device()
        loaded, room = self._loaded, PacketLimits(transfers.BUFFER_WORDS, processor.MAX_TRANSFER_BYTES)
        image_id = loaded.image.image_id
        for batch in batches(image_id, loaded.shape, inputs, lengths, trace=trace, keep=keep, most=most, room=room):
            if loaded is not self._loaded:
                raise DeviceError("another image was loaded in the middle of a stream: run the rest of it again")
            yield self._transfers.fill(Operation.RUN, batch.packet, batch.answer_words, image_id), batch

    def _pipeline(
        self, packets: Iterator[tuple[Transfer, Batch]], interrupts: bool = False
    ) -> Iterator[Transfer | RunResult]:
        """Flights, each to be finished by whoever takes it, and each one's result once the next packet is in flight."""
        before: tuple[Transfer, Batch] | None = None
        for transfer, batch in packets:
            if before is not None:
                yield before[0]
            self._transfers.drain()
            if before is not None:
                before[0].result()
            self._prepare()
            self._transfers.start(transfer, interrupts=interrupts and self.interrupts)
            if before is not None:
                yield self._result(*before)
            before = transfer, batch
        if before is not None:
            yield before[0]
            yield self._result(*before)

    def _result(self, transfer: Transfer, batch: Batch) -> RunResult:
        answer, trailer = transfer.result()
        try:
            return batch.result(answer, trailer, transfer.seconds)
        except DeviceError:
            self._transfers.healthy = False
            raise

    def _prepare(self) -> None:
        if not self._transfers.healthy:
            self.configure()

    def _register(self, name: str) -> int:
        self._device()
        return self._control.register(name)

    def _device(self) -> Platform:
        if self._platform is None:
            raise DeviceError("the accelerator is closed; open the folder again")
        return self._platform
