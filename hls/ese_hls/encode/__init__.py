# SPDX-License-Identifier: Apache-2.0
"""Encodes a network of integers as the words of an image, and proves that no sum overflows."""

from ese_hls.encode.compressed import compress
from ese_hls.encode.fit_design import choose_design
from ese_hls.encode.storage_choice import Storage, StorageChoice

__all__ = ["Storage", "StorageChoice", "choose_design", "compress"]
