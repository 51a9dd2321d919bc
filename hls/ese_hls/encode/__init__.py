"""From a network of integers to the words of an image, with the proof that no sum overflows."""

from ese_hls.encode.compressed import compress
from ese_hls.encode.sizing import choose_design
from ese_hls.encode.storage import Choice, Storage

__all__ = ["Choice", "Storage", "choose_design", "compress"]
