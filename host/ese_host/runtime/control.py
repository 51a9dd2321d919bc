"""What an engine is told besides its runs: to start, to hold an image, to forget its state."""

from __future__ import annotations

from ese_host.device import Platform, poll
from ese_host.errors import MismatchError
from ese_host.image import Image, check_ids
from ese_host.protocol import REGISTERS, START, TRAILER_WORDS, Operation, Words, load_packet, reset_packet
from ese_host.runtime.transfers import Transfers


class Control:
    """One device's engine and its registers. `transfers.healthy` is false from a beginning to its good end."""

    def __init__(self, platform: Platform, transfers: Transfers) -> None:
        self._platform, self._transfers = platform, transfers

    def start(self, design_id: int, timeout: float) -> None:
        """Load the bitstream, whatever the state of the device, and wait until its engine answers.

        Args:
            design_id: of the bitstream.
            timeout: seconds that the engine may take.

        Raises:
            MismatchError: another design answers. DeviceError: the device does not do as told.
        """
        self._transfers.forget()
        self._transfers.healthy = False
        self._platform.configure()
        self._platform.engine.write(REGISTERS["CTRL"][0], START)
        poll(lambda: self.register("design_id") == design_id, timeout)
        check_ids("the engine on the device", self.register("design_id"), design_id)
        self._transfers.healthy = True

    def load(self, image: Image) -> None:
        """Load an image.

        Raises:
            MismatchError: the engine holds another one afterwards. DeviceError: it does not do as told.
        """
        self._transfers.drain()
        self._transfers.healthy = False
        self._exchange(Operation.LOAD, load_packet(image.words), image.image_id)
        found = self.register("image_id")
        if found != image.image_id:
            raise MismatchError(
                f"the engine's register names image {found:#010x}; {image.image_id:#010x} was loaded: load it again"
            )
        self._transfers.healthy = True

    def reset(self, image_id: int) -> None:
        """Clear the state; the image of this id stays.

        Raises:
            DeviceError: the device does not answer.
        """
        self._exchange(Operation.RESET, reset_packet(), image_id)

    def register(self, name: str) -> int:
        """A register's value."""
        return int(self._platform.engine.read(REGISTERS[name][0]))

    def _exchange(self, operation: Operation, packet: Words, image_id: int) -> None:
        """Send a packet that is answered by a trailer alone, and judge it."""
        transfer = self._transfers.fill(operation, packet, TRAILER_WORDS, image_id)
        self._transfers.start(transfer)
        self._transfers.wait(transfer)
        transfer.result()
