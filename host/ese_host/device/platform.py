# SPDX-License-Identifier: Apache-2.0
"""Choose a device for a design folder, and give the accelerator one interface to each kind of device."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import tempfile
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from ese_host.boards import hwh, load_board, processor
from ese_host.bundle import BIT, HWH, Folder
from ese_host.device.dma_control import restart
from ese_host.device.emulated import adapter
from ese_host.device.emulated.board import EmulatedBoard
from ese_host.device.emulated.engine import is_library
from ese_host.device.emulated.faults import Faults
from ese_host.device.trust import require
from ese_host.errors import DeviceError, EseError, FormatError, MismatchError, MissingError
from ese_host.files import Contents
from ese_host.ir import shown

_load_lock = threading.RLock()  # pynq's active device is global, so only one thread may load at a time
# A fork waits for a load to end: its child would find the lock taken for ever, and pynq's globals half changed.
os.register_at_fork(before=_load_lock.acquire, after_in_parent=_load_lock.release, after_in_child=_load_lock.release)
Driver = Literal["auto", "pynq", "adapter"]


class Platform(Protocol):
    """A device that an accelerator runs on.

    Attributes:
        driver: the library that drives the device: "pynq" or "adapter".
        exact_buffers: whether a transfer must use a whole buffer instead of its first part.
        dma: pynq's DMA driver, or an object with the same methods; None until the device is configured.
        engine: pynq's DefaultIP for the engine's registers, or an object with the same methods; None until then.
    """

    driver: str
    exact_buffers: bool
    dma: Any
    engine: Any

    def configure(self) -> None:
        """Load the bitstream, again if it was loaded before, and start the DMA."""

    def allocate(self, words: int) -> Any:
        """A buffer of 32-bit words in memory that the DMA can reach."""

    def close(self) -> None:
        """Release the device."""


class PynqPlatform:
    """A device of the pynq library, real or emulated."""

    driver = "pynq"

    def __init__(self, bit: Contents, handoff: Contents, device: Any, timeout: float) -> None:
        self._bit, self._handoff = bit, handoff
        self.device, self._timeout = device, timeout
        # pynq reads a remote buffer back as a whole, whatever part of it was transferred.
        self.exact_buffers = bool(getattr(device, "capabilities", {}).get("REMOTE"))
        self.dma: Any = None
        self.engine: Any = None

    def configure(self) -> None:
        """Load the bitstream through pynq's Overlay.

        Raises:
            FormatError: if pynq cannot read the .hwh.
            DeviceError: if pynq cannot load the bitstream, the block design lacks our DMA or engine, or the DMA does
                not start.
        """
        import pynq

        try:
            with self._as_active_device():
                self._load(pynq)
        except EseError:
            raise
        except Exception as error:  # pynq's parser and drivers say with errors of any class what a .hwh lacks
            raise FormatError(
                f"{self._handoff}: pynq cannot read it ({type(error).__name__}: {error}); build the design again"
            ) from error

    @contextlib.contextmanager
    def _as_active_device(self) -> Iterator[None]:
        """Make this pynq's active device for a while: pynq's clocks and interrupts work only with that one."""
        from pynq.pl_server.device import Device
        from pynq.ps import Clocks

        with _load_lock:
            previous = getattr(Device, "_active_device", None)
            Device.active_device = self.device
            if getattr(Clocks, "device", None) is not self.device:
                # pynq would keep the clocks of the first device that anything was loaded on.
                Clocks.device = self.device
                with contextlib.suppress(AttributeError):
                    del Clocks._real_instance
            wired = getattr(self.device, "wired", contextlib.nullcontext)
            try:
                with wired():
                    yield
            finally:
                if previous is None:
                    del Device._active_device
                else:
                    Device.active_device = previous

    def _load(self, pynq: Any) -> None:
        try:
            with _private_copy(self._bit, self._handoff) as path:
                overlay = pynq.Overlay(str(path), device=self.device)
        except (RuntimeError, OSError) as error:
            raise DeviceError(
                f"{self._bit}: pynq cannot load it ({error}); on a board, run as root and with XRT's environment set"
            ) from error
        missing = {processor.DMA_NAME, processor.ENGINE_NAME} - set(overlay.ip_dict)
        if missing:
            raise DeviceError(
                f"{self._handoff}: has no {' and no '.join(sorted(missing))}; found {sorted(overlay.ip_dict)}: "
                "build the design again"
            )
        dma_entry = overlay.ip_dict[processor.DMA_NAME]
        # pynq's DMA driver would wait without end for a channel that does not start, so both are started here first.
        restart(pynq.MMIO(dma_entry["phys_addr"], dma_entry["addr_range"], device=self.device), self._timeout)
        self.overlay = overlay
        self.dma = getattr(overlay, processor.DMA_NAME)
        self.engine = getattr(overlay, processor.ENGINE_NAME)
        # pynq forgets its interrupt controllers when another overlay is loaded on any device: keep references to ours.
        self._controllers = [
            parent()
            for channel in (self.dma.sendchannel, self.dma.recvchannel)
            if isinstance(parent := getattr(channel._interrupt, "parent", None), weakref.ref)
        ]

    def allocate(self, words: int) -> Any:
        """A pynq buffer of 32-bit words."""
        import pynq

        return pynq.allocate((words,), dtype="u4", target=self.device)

    def close(self) -> None:
        """Release the overlay, and close an emulated board."""
        self.dma = self.engine = self.overlay = None
        board = getattr(self.device, "board", None)
        if isinstance(board, EmulatedBoard):
            board.close()


@contextlib.contextmanager
def _private_copy(bit: Contents, handoff: Contents) -> Iterator[Path]:
    """Context with the path of a bitstream that has its .hwh beside it, written from what was hashed.

    Its name is made of the bitstream's contents, because pynq does not send a file to a remote board that already has
    one of this name, and all our bitstreams have the same.
    """
    with tempfile.TemporaryDirectory(prefix="ese4ml-") as folder:
        path = Path(folder) / f"ese4ml_{bit.sha256[:16]}.bit"
        bit.copy_to(path)
        handoff.copy_to(path.with_suffix(".hwh"))
        yield path


class AdapterPlatform:
    """An emulated board, driven without pynq."""

    driver = "adapter"
    exact_buffers = False

    def __init__(self, bit: Contents, board: EmulatedBoard, timeout: float) -> None:
        self._bit, self.board, self._timeout = bit, board, timeout
        self.dma: Any = None
        self.engine: Any = None

    def configure(self) -> None:
        """Load the bitstream into the emulated board.

        Raises:
            UntrustedError: if this user neither built the bitstream nor trusts it.
            FormatError: if the bitstream is not a shared library.
            DeviceError: if it cannot be loaded here, or the DMA does not start.
        """
        self.board.configure(self._bit)
        dma = adapter.Dma(self.board, self.board.processor.dma_base)
        restart(dma, self._timeout)
        for channel in (dma.sendchannel, dma.recvchannel):
            channel.start()
        self.dma, self.engine = dma, adapter.AdapterMmio(self.board, self.board.processor.engine_base)

    def allocate(self, words: int) -> Any:
        """A buffer of 32-bit words in the board's memory."""
        return adapter.allocate(self.board, words)

    def close(self) -> None:
        """Close the emulated board."""
        self.board.close()


_numbers = itertools.count()  # each adapter has another tag, so that they do not lock each other out


def choose_platform(
    folder: Folder,
    *,
    device: Any = None,
    driver: Driver = "auto",
    faults: Faults | None = None,
    timeout: float = 5.0,
    trust: bool = False,
) -> tuple[Platform, str]:
    """Choose the device that a folder runs on; returns it with its tag. Nothing is loaded yet.

    Args:
        folder: the design folder.
        device: a pynq Device, or None to choose one that fits the folder's kind.
        driver: "pynq", "adapter" (an emulated board without pynq), or "auto" for pynq if it is installed.
        faults: faults to inject into an emulated board.
        timeout: seconds that the device may take to start.
        trust: whether an emulated bitstream may be loaded although this user did not build it.

    Raises:
        UntrustedError: if an emulated bitstream is neither in this user's record of builds nor trusted.
        MismatchError: if design.bit is not of the kind that the manifest says, or not of the kind of the device; if the
            .hwh is of another block design; if the driver "adapter" is asked for with a real bitstream or with a
            device.
        FormatError: if an argument has another type or value, or pynq could not read the .hwh.
        MissingError: if pynq is needed and not installed.
        DeviceError: if pynq finds no device.
    """
    _check_choice(device, driver, trust)
    kind = folder.manifest.kind
    bit, handoff = folder.file(BIT), folder.file(HWH)
    library = is_library(bit)
    if library != (kind == "emulated"):
        contents = "a shared library" if library else "no shared library"
        raise MismatchError(f"{bit}: holds {contents}, the manifest says {kind!r}: build the design again")
    if library and not trust:
        require(bit)
    hwh.check(handoff.data, folder.manifest.board, folder.manifest.design, str(handoff))
    installed = importlib.util.find_spec("pynq") is not None
    if (driver == "pynq" or kind == "bitstream" or device is not None) and not installed:
        raise MissingError(
            f"{folder.path}: a bitstream, a given device and driver 'pynq' need the 'pynq' package, which is not "
            "installed: pip install 'ese4ml[board]'"
        )
    if driver == "adapter" or not installed:
        if kind != "emulated" or device is not None:
            raise MismatchError(
                f"{folder.path}: driver 'adapter' runs only emulated designs and takes no device; the manifest says "
                f"{kind!r}: use driver 'pynq'"
            )
        emulation = EmulatedBoard(load_board(folder.manifest.board), faults)
        emulation.trust(bit)
        return AdapterPlatform(bit, emulation, timeout), f"emulated-{os.getpid()}-adapter-{next(_numbers)}"
    if device is None:
        device = _emulated_device(folder, faults) if kind == "emulated" else _active_device()
    board = getattr(device, "board", None)
    emulated = isinstance(board, EmulatedBoard)
    if emulated != (kind == "emulated"):
        target = "an emulated device" if emulated else "a real device"
        raise MismatchError(
            f"{folder.path}: {kind!r} design for {target} ({device.tag}); use a folder that was built for this device"
        )
    if isinstance(board, EmulatedBoard):
        board.trust(bit)
    return PynqPlatform(bit, handoff, device, timeout), device.tag


def _check_choice(device: Any, driver: Any, trust: Any) -> None:
    """Refuse arguments that are none, above all a `trust` that would only count as true."""
    if not isinstance(trust, bool):
        raise FormatError(f"trust is {shown(trust)}; expected True or False")
    if not isinstance(driver, str) or driver not in get_args(Driver):
        raise FormatError(f"driver is {shown(driver)}; expected one of {', '.join(get_args(Driver))}")
    if device is not None and not isinstance(getattr(device, "tag", None), str):
        raise FormatError(f"device is {shown(device)}; expected a pynq Device, which has a tag, or None to choose one")


def _emulated_device(folder: Folder, faults: Faults | None) -> Any:
    from ese_host.device.emulated.pynq_device import EmulatedDevice

    return EmulatedDevice(folder.manifest.board, faults=faults)


def _active_device() -> Any:
    from pynq.pl_server.device import Device

    try:
        return Device.active_device
    except RuntimeError as error:
        raise DeviceError(f"pynq finds no device ({error}); run this on a board, or use an emulated design") from error
