"""The errors a user can meet, apart from bugs.

Every message names the object, the value found, the value allowed and the way out. The command line prints it
without a traceback and exits with `exit_code`.
"""


class EseError(Exception):
    """Base of every refusal of this project."""

    exit_code = 2


class FormatError(EseError):
    """A file, image or packet that does not follow its written format."""


class MismatchError(EseError):
    """Two parts, each sound, that do not belong together (image and design, manifest and file)."""


class UnsupportedError(EseError):
    """A model that the engine cannot run as it is, with what to change."""


class CapacityError(EseError):
    """A network that does not fit a memory, or a sum that does not fit an accumulator."""


class DeviceError(EseError):
    """The board, the emulated board or its DMA did not do what it was told."""


class MissingError(EseError):
    """Something outside the project is needed: a package, a compiler, a data file."""
