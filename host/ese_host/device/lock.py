"""One user a device: a file lock that the kernel drops with the process, however it ends."""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from pathlib import Path

from ese_host.errors import DeviceError


class DeviceLock:
    """Holds a device, named by its tag, until released."""

    def __init__(self, tag: str) -> None:
        """Take the device.

        Raises:
            DeviceError: somebody else has it.
        """
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", tag)
        self.path = Path(tempfile.gettempdir()) / f"ese4ml-{name}.lock"
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._file = os.open(self.path, flags, 0o666)
        except OSError as error:
            raise DeviceError(
                f"{self.path}: cannot be opened ({error.strerror}); it keeps users of {tag} apart"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise DeviceError(
                f"device {tag} is in use (lock {self.path}); close the other accelerator or process"
            ) from error

    def release(self) -> None:
        """Give the device back; a second time does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
