# SPDX-License-Identifier: Apache-2.0
"""Control of an engine apart from running sequences: start it, load an image, clear its state."""

from __future__ import annotations

from ese_host.device import Deadline, Platform, poll
from ese_host.errors import MismatchError
from ese_host.image import Image, check_ids
from ese_host.protocol import (
    PROTOCOL_VERSION,
    REGISTERS,
    START,
    TRAILER_WORDS,
    Operation,
    Words,
    check_version,
    load_packet,
    reset_packet,
)
from ese_host.runtime.pace import Pace
from ese_host.runtime.transfers import Transfers


class Control:
    """Starts one device's engine, loads its images and reads its registers.

    `transfers.healthy` is false while an operation is under way, and stays false if it fails.
    """

    def __init__(self, platform: Platform, transfers: Transfers) -> None:
        self._platform, self._transfers = platform, transfers

    def start(self, design_id: int, timeout: float) -> None:
        """Load the bitstream, whatever state the device is in, and wait until its engine answers.

        Args:
            design_id: the id of the design that the bitstream must hold.
            timeout: seconds to wait for the engine's registers.

        Raises:
            MismatchError: if the engine reports another design, or speaks another version of the protocol.
            DeviceError: if the bitstream cannot be loaded, or the DMA does not start.
        """
        self._transfers.forget()
        self._transfers.healthy = False
        self._platform.configure()
        self._platform.engine.write(REGISTERS["CTRL"][0], START)
        expected = design_id, PROTOCOL_VERSION
        poll(lambda: (self.register("design_id"), self.register("version")) == expected, Deadline(timeout))
        check_ids("the engine on the device", self.register("design_id"), design_id)
        check_version("the engine on the device", self.register("version"))
        self._transfers.healthy = True

    def load(self, image: Image, pace: Pace) -> float:
        """Load an image into the engine; returns the seconds that it took.

        Raises:
            MismatchError: if the engine reports another image afterwards, or refuses one of another design.
            FormatError: if the engine refuses the image's header.
            DeviceError: if the device fails or does not answer in time.
        """
        self._transfers.drain()
        self._transfers.healthy = False
        seconds = self._exchange(Operation.LOAD, load_packet(image.words), image.image_id, pace)
        loaded_id = self.register("image_id")
        if loaded_id != image.image_id:
            raise MismatchError(
                f"the engine's register names image {loaded_id:#010x}; {image.image_id:#010x} was loaded: load it again"
            )
        self._transfers.healthy = True
        return seconds

    def reset(self, image_id: int, pace: Pace) -> None:
        """Clear the engine's state; the image of this id stays loaded.

        Raises:
            DeviceError: if the device does not answer in time, or holds another image.
        """
        self._exchange(Operation.RESET, reset_packet(), image_id, pace)

    def register(self, name: str) -> int:
        """The value of an engine register, by its name in `REGISTERS`."""
        return int(self._platform.engine.read(REGISTERS[name][0]))

    def _exchange(self, operation: Operation, packet: Words, image_id: int, pace: Pace) -> float:
        """Send a packet whose answer is only a trailer, and raise the error that the trailer reports."""
        transfer = self._transfers.fill(operation, packet, TRAILER_WORDS, image_id, pace.seconds(len(packet)))
        self._transfers.start(transfer)
        self._transfers.wait(transfer)
        transfer.result()
        return transfer.seconds
