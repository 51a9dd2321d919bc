"""The hls4ml backend "ESE": registration, passes, writer, and emission of a saved model."""

from ese_hls.backend.described import names_from
from ese_hls.backend.emission import emit, masks_of

__all__ = ["emit", "masks_of", "names_from"]
