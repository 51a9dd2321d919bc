"""The errors that users can meet, other than bugs.

Every message names the object, the value found, the value allowed and the way out. The command line prints the message
without a traceback and exits with `exit_code`.
"""


class EseError(Exception):
    """Base class of all errors that this project raises on purpose."""

    exit_code = 2


class FormatError(EseError):
    """A file, image, packet or value does not follow its documented format."""


class MismatchError(EseError):
    """Two parts are valid but do not belong together, such as image and design, or manifest and file."""


class UnsupportedError(EseError):
    """A model, board or option is not supported as it is; the message says what to change."""


class CapacityError(EseError):
    """A network, packet or sum exceeds a limit: of a memory, a transfer, an accumulator or 64-bit arithmetic."""


class DeviceError(EseError):
    """The board, the emulated board or its DMA failed or did not answer as expected."""


class MissingError(EseError):
    """Something outside the project is missing: a package, a compiler, a data file."""
