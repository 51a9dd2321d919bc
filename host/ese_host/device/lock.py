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
        self._file = -1
        while self._file < 0:
            self._file = self._take(tag)

    def _take(self, tag: str) -> int:
        """The locked file, or -1 where its last holder removed it meanwhile."""
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise DeviceError(
                f"{self.path}: cannot be opened ({error.strerror}); it keeps users of {tag} apart"
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(file), self.path.stat()):
                return file
        except FileNotFoundError:
            pass
        except OSError as error:
            os.close(file)
            raise DeviceError(
                f"device {tag} is in use (lock {self.path}); close the other accelerator or process"
            ) from error
        os.close(file)
        return -1

    def release(self) -> None:
        """Give the device back; a second time does nothing."""
        if self._file >= 0:
            self.path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = -1
