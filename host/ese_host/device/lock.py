# SPDX-License-Identifier: Apache-2.0
"""A lock that gives a device one user at a time: a locked file that the kernel unlocks when the process ends."""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from pathlib import Path

from ese_host.errors import DeviceError


class DeviceLock:
    """The lock of one device, held until it is released.

    Attributes:
        tag: the device's tag.
        process: id of the process that took the lock.
        path: the locked file.
    """

    def __init__(self, tag: str) -> None:
        """Lock the device of this tag.

        Raises:
            DeviceError: if another accelerator or process holds the lock, or the lock file cannot be opened.
        """
        self.tag, self.process = tag, os.getpid()
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", tag)
        self.path = Path(tempfile.gettempdir()) / f"ese4ml-{name}.lock"
        self._file = -1
        while self._file < 0:
            self._file = self._take(tag)

    def _take(self, tag: str) -> int:
        """The descriptor of the locked file, or -1 if its last holder removed the file meanwhile."""
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise DeviceError(
                f"{self.path}: the lock file of device {tag} cannot be opened ({error.strerror}): "
                "remove it, or make it writable"
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

    @property
    def inherited(self) -> bool:
        """Whether another process took the lock, of which this one is a forked child."""
        return os.getpid() != self.process

    def release(self) -> None:
        """Unlock the device; a forked child leaves it to its parent. Releasing twice does no harm."""
        if self._file >= 0:
            if not self.inherited:
                self.path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = -1
