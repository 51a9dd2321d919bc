"""A design and the image that fills it: sizes, the schedule of a step, entries, the file and its compressed form."""

from ese_host.image.reader import (
    HEADER,
    MAGIC,
    Image,
    layout,
    padding_entries,
    parse,
    read_header,
)

__all__ = ["HEADER", "MAGIC", "Image", "layout", "padding_entries", "parse", "read_header"]
