"""From a network of integers to the words of an image, with the proof that no sum overflows."""

from ese_hls.encode.compressed import compress
from ese_hls.encode.fit_design import choose_design
from ese_hls.encode.matrix_storage import Storage, StorageChoice

__all__ = ["Storage", "StorageChoice", "choose_design", "compress"]
