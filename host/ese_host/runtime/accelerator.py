"""`Accelerator`: a design folder on a device, ready to run sequences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ese_host.boards import processor
from ese_host.bundle.folder import Folder
from ese_host.bundle.model import Loaded, Model
from ese_host.device.dma_control import poll
from ese_host.device.emulated.faults import Faults
from ese_host.device.lock import DeviceLock
from ese_host.device.platform import Driver, Platform, choose
from ese_host.errors import CapacityError, DeviceError, FormatError, MismatchError
from ese_host.image.design import check_ids
from ese_host.image.reader import Image
from ese_host.ir.fixed import Codes
from ese_host.ir.network import Network
from ese_host.ir.program import Program
from ese_host.protocol.answers import Lengths, Shape
from ese_host.protocol.packets import (
    MAX_SEQUENCES,
    RUN_HEADER_WORDS,
    TRAILER_WORDS,
    Operation,
    Trailer,
    Words,
    load_packet,
    reset_packet,
    run_packet,
    step_words,
)
from ese_host.protocol.results import Result, joined
from ese_host.runtime import transfers
from ese_host.runtime.transfers import Flight, Transfers


class Accelerator:
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
        self._model = Model.read(Folder.open(Path(folder)))
        self._loaded = self._model.parts[0]
        self._bitstream = self.folder
        platform, tag = choose(self.folder, device=device, driver=driver, faults=faults, timeout=timeout)
        self._lock = DeviceLock(tag)
        self._platform: Platform | None = platform
        self._transfers = Transfers(platform, timeout)
        try:
            self.configure()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Accelerator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def folder(self) -> Folder:
        """The design folder whose image is loaded."""
        return self._model.folder

    @property
    def program(self) -> Program:
        """The folder's model as a program, of one chain or several."""
        return self._model.program

    @property
    def parts(self) -> tuple[Loaded, ...]:
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
    def shape(self) -> Shape:
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
        device = self._device()
        self._transfers.forget()
        self._transfers.sound = False
        device.configure()
        device.engine.write(processor.REGISTERS["CTRL"][0], processor.START)
        expected = self._bitstream.manifest.design.design_id
        poll(lambda: self._register("design_id") == expected, min(self.timeout, 1.0))
        check_ids("the engine on the device", self._register("design_id"), expected)
        self._transfers.sound = True
        self._load(self._loaded)

    def load(self, folder: str | Path) -> None:
        """Load another folder's image into this engine: the bitstream stays, the weights change.

        Args:
            folder: a design folder of the same design.

        Raises:
            MismatchError: it is of another design. EseError: the folder is not sound, or the device fails.
        """
        model = Model.read(Folder.open(Path(folder))).for_engine_of(self._bitstream)
        self._prepare()
        self._load(model.parts[0])
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
        self._load(part)
        self._loaded = part
        return True

    def _load(self, loaded: Loaded) -> None:
        self._transfers.settle()
        self._transfers.sound = False
        packet, image_id = load_packet(loaded.image.words), loaded.image.image_id
        self._exchange(Operation.LOAD, packet, image_id)
        found = self._register("image_id")
        if found != image_id:
            raise MismatchError(
                f"the engine's register names image {found:#010x}; {image_id:#010x} was loaded: load it again"
            )
        self._transfers.sound = True

    def run(
        self,
        inputs: Codes | Sequence[Codes],
        lengths: Sequence[int] | Lengths | None = None,
        *,
        trace: bool = False,
        keep: bool = False,
    ) -> Result:
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
        inputs: Codes | Sequence[Codes],
        lengths: Sequence[int] | Lengths | None = None,
        *,
        trace: bool = False,
        keep: bool = False,
        batch: int = MAX_SEQUENCES,
    ) -> Iterator[Result]:
        """Like `run`, packet by packet, each of as many sequences as the buffers hold and `batch` allows.

        The engine works on the next packet while this one's result is in use.
        """
        before: tuple[Flight, Lengths] | None = None
        for filled, steps in self._fill(inputs, lengths, trace, keep, batch):
            self._transfers.settle()
            if before is not None:
                before[0].result()
            self._prepare()
            self._transfers.launch(filled)
            if before is not None:
                yield self._result(*before, trace)
            before = filled, steps
        if before is not None:
            self._transfers.land(before[0])
            yield self._result(*before, trace)

    async def run_async(
        self,
        inputs: Codes | Sequence[Codes],
        lengths: Sequence[int] | Lengths | None = None,
        *,
        trace: bool = False,
        keep: bool = False,
        batch: int = MAX_SEQUENCES,
    ) -> Result:
        """`run` for asyncio, Jupyter's for one: by the DMA's interrupts where pynq has them, else by polling."""
        results: list[Result] = []
        before: tuple[Flight, Lengths] | None = None
        for filled, steps in self._fill(inputs, lengths, trace, keep, batch):
            if before is not None:
                await self._transfers.land_async(before[0])
                before[0].result()
            self._prepare()
            self._transfers.launch(filled, interrupts=self.interrupts)
            if before is not None:
                results.append(self._result(*before, trace))
            before = filled, steps
        if before is not None:
            await self._transfers.land_async(before[0])
            results.append(self._result(*before, trace))
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
        self._transfers.settle()
        self._prepare()
        self._exchange(Operation.RESET, reset_packet(), self.image.image_id)

    def close(self) -> None:
        """Free buffers, device and lock; a second time does nothing."""
        platform, self._platform = self._platform, None
        if platform is not None:
            self._transfers.close()
            platform.close()
        self._lock.release()

    def _sequences(self, inputs: Any, lengths: Any) -> tuple[list[Codes] | Codes, Lengths]:
        width = self.shape.inputs
        if isinstance(inputs, np.ndarray):
            sound = inputs.ndim == 3 and inputs.shape[2] == width and inputs.dtype.kind in "iu"
            full = np.full(len(inputs), inputs.shape[1] if sound else 0, dtype=np.int64)
        else:
            sound = all(np.ndim(item) == 2 and item.shape[1] == width and item.dtype.kind in "iu" for item in inputs)
            full = np.array([len(item) for item in inputs], dtype=np.int64)
        if not sound:
            shape = getattr(inputs, "shape", [getattr(item, "shape", None) for item in inputs][:3])
            raise FormatError(
                f"inputs have shape {shape}; expected integer codes (N, T, {width}), or N arrays (steps, {width})"
            )
        if lengths is None and len(full) and full.min() >= 1:
            return inputs, full
        steps = full if lengths is None else np.asarray(lengths, dtype=np.int64)
        if steps.shape != full.shape or not len(steps) or steps.min() < 1 or (unused := full - steps).min() < 0:
            raise FormatError(
                f"lengths are {steps.tolist()[:5]} ...; expected 1 to T steps for each of {len(full)} sequences"
            )
        if not unused.any():
            return inputs, steps
        return [item[:count] for item, count in zip(inputs, steps, strict=True)], steps

    def _fill(self, inputs: Any, lengths: Any, trace: bool, keep: bool, batch: int) -> Iterator[tuple[Flight, Lengths]]:
        """Packets in their buffers, one after the other; the next is made when it is asked for."""
        self._device()
        sequences, steps = self._sequences(inputs, lengths)
        loaded, start = self._loaded, 0
        while start < len(steps):
            if loaded is not self._loaded:
                raise DeviceError("another image was loaded in the middle of a stream: run the rest of it again")
            stop, words = self._fit(steps, start, min(len(steps), start + batch), trace)
            part, image_id = steps[start:stop], loaded.image.image_id
            packet = run_packet(image_id, sequences[start:stop], self.shape.source, trace=trace, keep=keep)
            yield self._transfers.fill(Operation.RUN, packet, words, image_id), part
            start = stop

    def _fit(self, steps: Lengths, start: int, limit: int, trace: bool) -> tuple[int, int]:
        """Where a packet of sequences from `start` on ends, one at least, and the words of its answer."""
        frame, (each, once) = step_words(self.shape.inputs), self.shape.rates(trace)
        total, count = int(steps[start:limit].sum()), limit - start
        sent, answered = RUN_HEADER_WORDS + total * frame + count, TRAILER_WORDS + total * each + count * once
        if max(sent, answered) <= min(transfers.BUFFER_WORDS, processor.MAX_TRANSFER_BYTES // 4):
            return limit, answered
        totals, counts = np.cumsum(steps[start:limit]), np.arange(1, count + 1)
        all_sent = RUN_HEADER_WORDS + totals * frame + counts
        all_answered = TRAILER_WORDS + totals * each + counts * once
        largest = int(max(all_sent[0], all_answered[0]))
        if 4 * largest > processor.MAX_TRANSFER_BYTES:
            raise CapacityError(
                f"a sequence of {steps[start]} steps needs a transfer of {4 * largest} bytes; the DMA carries "
                f"{processor.MAX_TRANSFER_BYTES}: run it in parts with keep=True, or without trace"
            )
        room = max(transfers.BUFFER_WORDS, largest)
        fits = int(min(np.searchsorted(words, room, side="right") for words in (all_sent, all_answered)))
        return start + fits, int(all_answered[fits - 1])

    def _result(self, flight: Flight, steps: Lengths, trace: bool) -> Result:
        answer, trailer = flight.result()
        total = int(steps.sum())
        if (trailer.sequences, trailer.steps) != (len(steps), total):
            self._transfers.sound = False
            done = f"{trailer.sequences} sequences and {trailer.steps} steps"
            raise DeviceError(f"the engine did {done}; {len(steps)} and {total} were sent: the device is reset")
        try:
            outputs, traces = self.shape.read(answer, steps, trace)
        except DeviceError:
            self._transfers.sound = False
            raise
        return Result(outputs, self.shape.frac, steps, self.shape.every_step, traces, trailer.cycles, flight.seconds)

    def _prepare(self) -> None:
        if not self._transfers.sound:
            self.configure()

    def _exchange(self, operation: Operation, packet: Words, image_id: int) -> Trailer:
        """Send a packet that is answered by a trailer alone, and judge it."""
        flight = self._transfers.fill(operation, packet, TRAILER_WORDS, image_id)
        self._transfers.launch(flight)
        self._transfers.land(flight)
        return flight.result()[1]

    def _register(self, name: str) -> int:
        return int(self._device().engine.read(processor.REGISTERS[name][0]))

    def _device(self) -> Platform:
        if self._platform is None:
            raise DeviceError("the accelerator is closed; open the folder again")
        return self._platform
