# SPDX-License-Identifier: Apache-2.0
"""The errors that users can meet, other than bugs.

Every message names the object, the value found, the value allowed and the way out. The command line prints the message
without a traceback and exits with `exit_code`.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the command line, as `ese4ml --help` and docs/reference/commands.md list them.

    Attributes:
        meaning: how a command ends that has this code.
    """

    meaning: str

    DONE = 0, "done"
    DIFFERS = 1, "a value differs, or a goal is missed, such as a board that is too small"
    REFUSED = 2, "refused: an argument, a file or a model; or something is not installed"
    FAILED = 3, "a tool or a device failed"
    NOT_WRITABLE = 4, "the output cannot be written: disk full, read-only, or no folder"
    INTERRUPTED = 130, "interrupted (Ctrl-C)"

    def __new__(cls, code: int, meaning: str) -> ExitCode:
        """A code with its meaning."""
        made = int.__new__(cls, code)
        made._value_ = code
        made.meaning = meaning
        return made


class EseError(Exception):
    """Base class of all errors that this project raises on purpose."""

    exit_code: ExitCode = ExitCode.REFUSED


class FormatError(EseError):
    """A file, image, packet or value does not follow its documented format."""


class MismatchError(EseError):
    """Two parts are valid but do not belong together, such as image and design, or manifest and file."""


class UntrustedError(EseError):
    """An emulated bitstream is native code that this user neither built nor said to trust."""


class UnsupportedError(EseError):
    """A model, board or option is not supported as it is; the message says what to change."""


class CapacityError(EseError):
    """A network, packet or sum exceeds a limit: of a memory, a transfer, an accumulator or 64-bit arithmetic."""


class DeviceError(EseError):
    """The board, the emulated board or its DMA failed or did not answer as expected."""

    exit_code = ExitCode.FAILED


class StorageError(EseError):
    """A file or folder cannot be written: the disk is full, or the path is not writable."""

    exit_code = ExitCode.NOT_WRITABLE


class MissingError(EseError):
    """Something outside the project is missing: a package, a compiler, a data file."""
