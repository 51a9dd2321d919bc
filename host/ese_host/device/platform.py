"""The choice of a device, and the few things that the accelerator needs of one."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Protocol

from ese_host.boards import load_board, processor
from ese_host.bundle import BIT, HWH, Folder
from ese_host.device.dma_control import restart
from ese_host.device.emulated import adapter
from ese_host.device.emulated.board import EmulatedBoard
from ese_host.device.emulated.engine import is_library
from ese_host.device.emulated.faults import Faults
from ese_host.errors import DeviceError, MismatchError, MissingError
from ese_host.files import digest

_loading = threading.RLock()
Driver = Literal["auto", "pynq", "adapter"]


class Platform(Protocol):
    """A configured device.

    Attributes:
        driver: which library drives it. dma, engine: pynq's DMA and DefaultIP, or what stands for them.
        exact_buffers: whether a transfer must be a whole buffer, and not the first part of one.
    """

    driver: str
    exact_buffers: bool
    dma: Any
    engine: Any

    def configure(self) -> None:
        """Load the bitstream (again), and have the DMA ready."""

    def allocate(self, words: int) -> Any:
        """A buffer of 32-bit words that the DMA reaches."""

    def close(self) -> None:
        """Let go of the device."""


class PynqPlatform:
    """A device of the pynq library, real or emulated."""

    driver = "pynq"

    def __init__(self, folder: Folder, device: Any, timeout: float) -> None:
        self._bit, self._hwh = folder.file(BIT), folder.file(HWH)
        self.device, self._timeout = device, timeout
        # A remote buffer is read back whole, whatever part of it was transferred.
        self.exact_buffers = bool(getattr(device, "capabilities", {}).get("REMOTE"))
        self.dma: Any = None
        self.engine: Any = None

    def configure(self) -> None:
        """Load the bitstream through pynq's Overlay.

        Raises:
            DeviceError: the block design is not ours, or its DMA does not come up.
        """
        import pynq

        with self._active():
            self._load(pynq)

    @contextlib.contextmanager
    def _active(self) -> Iterator[None]:
        """The device is pynq's active one while it is loaded: pynq's clocks and interrupts know no other."""
        from pynq.pl_server.device import Device
        from pynq.ps import Clocks

        with _loading:
            before = getattr(Device, "_active_device", None)
            Device.active_device = self.device
            if getattr(Clocks, "device", None) is not self.device:
                # pynq keeps the clocks of the first device that it loads anything on.
                Clocks.device = self.device
                with contextlib.suppress(AttributeError):
                    del Clocks._real_instance
            wired = getattr(self.device, "wired", contextlib.nullcontext)
            try:
                with wired():
                    yield
            finally:
                if before is None:
                    del Device._active_device
                else:
                    Device.active_device = before

    def _files(self) -> contextlib.AbstractContextManager[Path]:
        """The bitstream's path, its .hwh beside it."""
        if not self.exact_buffers:
            return contextlib.nullcontext(self._bit.resolve())
        return _named_by_content(self._bit, self._hwh)

    def _load(self, pynq: Any) -> None:
        try:
            with self._files() as path:
                overlay = pynq.Overlay(str(path), device=self.device)
        except (RuntimeError, OSError) as error:
            raise DeviceError(
                f"{self._bit}: pynq cannot load it ({error}); boards want root, and XRT's environment"
            ) from error
        missing = {processor.DMA_NAME, processor.ENGINE_NAME} - set(overlay.ip_dict)
        if missing:
            raise DeviceError(
                f"{self._hwh}: has no {' and no '.join(sorted(missing))}; found {sorted(overlay.ip_dict)}"
            )
        entry = overlay.ip_dict[processor.DMA_NAME]
        # pynq's DMA driver waits without end for a channel that does not start: see that both do.
        restart(pynq.MMIO(entry["phys_addr"], entry["addr_range"], device=self.device), self._timeout)
        self.overlay = overlay
        self.dma = getattr(overlay, processor.DMA_NAME)
        self.engine = getattr(overlay, processor.ENGINE_NAME)
        # pynq drops its interrupt controllers with the next overlay, whatever its device: hold ours.
        self._controllers = [
            parent()
            for channel in (self.dma.sendchannel, self.dma.recvchannel)
            if isinstance(parent := getattr(channel._interrupt, "parent", None), weakref.ref)
        ]

    def allocate(self, words: int) -> Any:
        """A buffer of pynq's."""
        import pynq

        return pynq.allocate((words,), dtype="u4", target=self.device)

    def close(self) -> None:
        """Let go of the overlay, and of an emulated board's engine."""
        self.dma = self.engine = self.overlay = None
        board = getattr(self.device, "board", None)
        if isinstance(board, EmulatedBoard):
            board.close()


@contextlib.contextmanager
def _named_by_content(bit: Path, hwh: Path) -> Iterator[Path]:
    """Copies under a name of their own: pynq does not send a remote board a file of a name that it has already."""
    with tempfile.TemporaryDirectory(prefix="ese4ml-") as folder:
        path = Path(folder) / f"ese4ml_{digest(bit)[:16]}.bit"
        shutil.copyfile(bit, path)
        shutil.copyfile(hwh, path.with_suffix(".hwh"))
        yield path


class AdapterPlatform:
    """An emulated board without pynq."""

    driver = "adapter"
    exact_buffers = False

    def __init__(self, folder: Folder, board: EmulatedBoard, timeout: float) -> None:
        self._bit, self.board, self._timeout = folder.file(BIT), board, timeout
        self.dma: Any = None
        self.engine: Any = None

    def configure(self) -> None:
        """Load the bitstream."""
        self.board.configure(self._bit)
        dma = adapter.Dma(self.board, self.board.processor.dma_base)
        restart(dma, self._timeout)
        for channel in (dma.sendchannel, dma.recvchannel):
            channel.start()
        self.dma, self.engine = dma, adapter.AdapterMmio(self.board, self.board.processor.engine_base)

    def allocate(self, words: int) -> Any:
        """A buffer of the board's memory."""
        return adapter.allocate(self.board, words)

    def close(self) -> None:
        """Unload the bitstream."""
        self.board.close()


_numbers = itertools.count()


def choose_platform(
    folder: Folder, *, device: Any = None, driver: Driver = "auto", faults: Faults | None = None, timeout: float = 5.0
) -> tuple[Platform, str]:
    """The device that a folder runs on, and its tag; nothing is loaded yet.

    Args:
        folder: the design.
        device: a pynq Device, or None for the one that fits the folder's kind.
        driver: "pynq", "adapter", or "auto" for pynq where it is installed.
        faults: for an emulated board.
        timeout: seconds that the device may take to come up.

    Raises:
        MismatchError: an emulated bitstream for a real device, or a real one for an emulated device.
        MissingError: pynq is needed and not installed. DeviceError: there is no device.
    """
    kind = folder.manifest.kind
    library = is_library(folder.file(BIT))
    if library != (kind == "emulated"):
        holds = "a shared library" if library else "no shared library"
        raise MismatchError(f"{folder.path / BIT}: holds {holds}, the manifest says {kind!r}: build the design again")
    installed = importlib.util.find_spec("pynq") is not None
    if (driver == "pynq" or kind == "bitstream" or device is not None) and not installed:
        raise MissingError("this needs the 'pynq' package, which is not installed: pip install 'ese4ml[board]'")
    if driver == "adapter" or not installed:
        if kind != "emulated" or device is not None:
            raise MismatchError(f"{folder.path}: the adapter drives emulated boards only; the manifest says {kind!r}")
        board = EmulatedBoard(load_board(folder.manifest.board), faults)
        return AdapterPlatform(folder, board, timeout), f"emulated-{os.getpid()}-adapter-{next(_numbers)}"
    if device is None:
        device = _emulated(folder, faults) if kind == "emulated" else _active()
    emulated = isinstance(getattr(device, "board", None), EmulatedBoard)
    if emulated != (kind == "emulated"):
        what = "an emulated device" if emulated else "a real device"
        raise MismatchError(f"{folder.path}: {kind!r} design for {what} ({device.tag}); use the one built for it")
    return PynqPlatform(folder, device, timeout), device.tag


def _emulated(folder: Folder, faults: Faults | None) -> Any:
    from ese_host.device.emulated.pynq_device import EmulatedDevice

    return EmulatedDevice(folder.manifest.board, faults=faults)


def _active() -> Any:
    from pynq.pl_server.device import Device

    try:
        return Device.active_device
    except RuntimeError as error:
        raise DeviceError(f"pynq finds no device ({error}); run this on a board, or use an emulated design") from error
