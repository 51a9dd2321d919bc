"""`Accelerator`: a design folder on a device, ready to run sequences."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ese_host import blockdesign, image, network_io
from ese_host.design import check_ids
from ese_host.device.dma_control import complete, poll
from ese_host.device.faults import Faults
from ese_host.device.lock import DeviceLock
from ese_host.device.platform import Driver, Platform, choose
from ese_host.errors import CapacityError, DeviceError, EseError, FormatError, MismatchError
from ese_host.fixed import Codes
from ese_host.manifest import GOLDEN, IMAGE, Folder
from ese_host.network import Network
from ese_host.outputs import Lengths, Shape
from ese_host.packets import (
    MAX_SEQUENCES,
    TRAILER_WORDS,
    Operation,
    Trailer,
    Words,
    load_packet,
    read_trailer,
    reset_packet,
    run_packet,
    run_words,
    step_words,
)
from ese_host.results import Result, joined

BUFFER_WORDS = 1 << 20
"""Words of each of the two buffers, unless one sequence needs more."""


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
        self.folder = Folder.open(Path(folder))
        self.timeout = timeout
        manifest = self.folder.manifest
        self.network: Network = network_io.load(self.folder.file(GOLDEN))
        self.image: image.Image = image.read(self.folder.file(IMAGE), manifest.design)
        if self.image.image_id != manifest.image_id:
            raise MismatchError(
                f"{self.folder.path / IMAGE}: image id is {self.image.image_id:#010x}; "
                f"the manifest says {manifest.image_id:#010x}: emit the image again"
            )
        self.shape = Shape.of(self.network)
        self._check_shape()
        self._ready = False
        self._buffers: dict[str, Any] = {}
        platform, tag = choose(self.folder, device=device, driver=driver, faults=faults, timeout=timeout)
        self._lock = DeviceLock(tag)
        self._platform: Platform | None = platform
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
        self._ready = False
        device.configure()
        device.engine.write(blockdesign.REGISTERS["CTRL"][0], blockdesign.START)
        expected = self.folder.manifest.design.design_id
        poll(lambda: self._register("design_id") == expected, min(self.timeout, 1.0))
        check_ids("the engine on the device", self._register("design_id"), expected)
        self._ready = True
        self._exchange(load_packet(self.image.words), TRAILER_WORDS, Operation.LOAD)
        check_ids_of_image("the engine's register", self._register("image_id"), self.image.image_id)

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
        """Like `run`, packet by packet, each of as many sequences as the buffers hold and `batch` allows."""
        sequences, steps = self._sequences(inputs, lengths)
        start = 0
        while start < len(steps):
            stop = self._fit(steps, start, min(len(steps), start + batch), trace)
            yield self._run_packet(sequences[start:stop], steps[start:stop], trace, keep)
            start = stop

    def reset(self) -> None:
        """Clear the engine's state; the image stays.

        Raises:
            DeviceError: the device does not answer.
        """
        self._prepare()
        self._exchange(reset_packet(), TRAILER_WORDS, Operation.RESET)

    def close(self) -> None:
        """Free buffers, device and lock; a second time does nothing."""
        self._buffers.clear()
        self._ready = False
        platform, self._platform = self._platform, None
        if platform is not None:
            platform.close()
        self._lock.release()

    def _check_shape(self) -> None:
        """Refuse an image and a golden model that answer differently."""
        header, shape = self.image.header, self.shape
        pairs = {
            "inputs": (header["inputs"], shape.inputs),
            "outputs": (header["outputs"], shape.outputs),
            "outputs at every step": (self.image.every_step, shape.every_step),
            "fractional bits of outputs": (self.image.output_frac, shape.frac),
            "outputs leave as stored": (self.image.outputs_stored, shape.output is not None),
        }
        for name, (found, expected) in pairs.items():
            if found != expected:
                raise MismatchError(
                    f"{self.folder.path / IMAGE}: {name}: {found}; {GOLDEN} has {expected}: emit both from one model"
                )

    def _sequences(self, inputs: Any, lengths: Any) -> tuple[list[Codes] | Codes, Lengths]:
        width = self.shape.inputs
        if any(np.ndim(item) != 2 or item.shape[1] != width or item.dtype.kind not in "iu" for item in inputs):
            shape = getattr(inputs, "shape", [getattr(item, "shape", None) for item in inputs][:3])
            raise FormatError(
                f"inputs have shape {shape}; expected integer codes (N, T, {width}), or N arrays (steps, {width})"
            )
        full = np.array([len(item) for item in inputs], dtype=np.int64)
        steps = full if lengths is None else np.asarray(lengths, dtype=np.int64)
        if steps.shape != full.shape or not len(steps) or (steps < 1).any() or (steps > full).any():
            raise FormatError(
                f"lengths are {steps.tolist()[:5]} ...; expected 1 to T steps for each of {len(full)} sequences"
            )
        if (steps == full).all():
            return inputs, steps
        return [item[:count] for item, count in zip(inputs, steps, strict=True)], steps

    def _fit(self, steps: Lengths, start: int, limit: int, trace: bool) -> int:
        """How many sequences from `start` on go into one packet; at least one."""
        frame = step_words(self.shape.inputs)
        sent = run_words([], 0) + np.cumsum(steps[start:limit] * frame + 1)
        single = [self.shape.words(steps[i : i + 1], trace) - TRAILER_WORDS for i in range(start, limit)]
        answered = TRAILER_WORDS + np.cumsum(single)
        largest = int(max(sent[0], answered[0]))
        if 4 * largest > blockdesign.MAX_TRANSFER_BYTES:
            raise CapacityError(
                f"a sequence of {steps[start]} steps needs a transfer of {4 * largest} bytes; the DMA carries "
                f"{blockdesign.MAX_TRANSFER_BYTES}: run it in parts with keep=True, or without trace"
            )
        fits = int(np.searchsorted(np.maximum(sent, answered), max(BUFFER_WORDS, largest), side="right"))
        return start + max(1, fits)

    def _run_packet(self, sequences: Any, steps: Lengths, trace: bool, keep: bool) -> Result:
        packet = run_packet(self.image.image_id, sequences, self.shape.source, trace=trace, keep=keep)
        self._prepare()
        begun = time.perf_counter()
        answer, trailer = self._exchange(packet, self.shape.words(steps, trace), Operation.RUN)
        seconds = time.perf_counter() - begun
        total = int(steps.sum())
        if (trailer.sequences, trailer.steps) != (len(steps), total):
            self._ready = False
            done = f"{trailer.sequences} sequences and {trailer.steps} steps"
            raise DeviceError(f"the engine did {done}; {len(steps)} and {total} were sent: the device is reset")
        outputs, traces = self.shape.read(answer, steps, trace)
        return Result(outputs, self.shape.frac, steps, self.shape.every_step, traces, trailer.cycles, seconds)

    def _prepare(self) -> None:
        if not self._ready:
            self.configure()

    def _exchange(self, packet: Words, answer_words: int, operation: Operation) -> tuple[Words, Trailer]:
        """Send a packet, receive its answer of at most so many words, and judge the trailer."""
        device = self._device()
        send = self._buffer("packet", len(packet))
        receive = self._buffer("answer", answer_words)
        send[:] = packet
        try:
            device.dma.recvchannel.transfer(receive)
            device.dma.sendchannel.transfer(send)
            count = complete(device.dma.recvchannel, "answer", self.timeout)
            complete(device.dma.sendchannel, "packet", self.timeout)
            answer = np.array(receive[: count // 4], dtype=np.uint32)
            trailer = read_trailer(answer)
        except (EseError, RuntimeError) as error:
            self._ready = False
            if isinstance(error, EseError):
                raise
            raise DeviceError(
                f"the DMA refused {operation.name}: {error}; the device is reset with the next call"
            ) from error
        except BaseException:
            self._ready = False
            raise
        if trailer.image_id != self.image.image_id:
            self._ready = False
        trailer.require(operation)
        check_ids_of_image("the engine's answer", trailer.image_id, self.image.image_id)
        return answer, trailer

    def _buffer(self, name: str, words: int) -> Any:
        """The first words of one of our buffers, which grows to what is needed."""
        if 4 * words > blockdesign.MAX_TRANSFER_BYTES:
            raise CapacityError(f"the {name} has {4 * words} bytes; the DMA carries {blockdesign.MAX_TRANSFER_BYTES}")
        buffer = self._buffers.get(name)
        if buffer is None or len(buffer) < words:
            self._buffers.pop(name, None)
            buffer = None
            try:
                buffer = self._device().allocate(max(words, BUFFER_WORDS))
            except (MemoryError, RuntimeError) as error:
                raise DeviceError(f"no memory for the {name}: {error}; close other users of the device") from error
            self._buffers[name] = buffer
        return buffer[:words]

    def _register(self, name: str) -> int:
        return int(self._device().engine.read(blockdesign.REGISTERS[name][0]))

    def _device(self) -> Platform:
        if self._platform is None:
            raise DeviceError("the accelerator is closed; open the folder again")
        return self._platform


def check_ids_of_image(what: str, found: int, expected: int) -> None:
    """Refuse an engine that holds another image.

    Raises:
        MismatchError: the ids differ.
    """
    if found != expected:
        raise MismatchError(f"{what} names image {found:#010x}; {expected:#010x} was loaded: load it again")
