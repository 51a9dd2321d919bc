# SPDX-License-Identifier: Apache-2.0
"""Reading files from untrusted sources within limits, and writing files completely or not at all."""

from ese_host.files.atomic import FULL, check_target, says_full, whole_folder, write_by, write_file, write_together
from ese_host.files.decoder import JsonForm, KeepsUnknown, Place, decode, encode
from ese_host.files.hashing import Contents, Source, digest, digest_of, digest_of_stream, digests, open_plain, size_of
from ese_host.files.huffman import CHUNK, LIMIT, canonical, decode_stream
from ese_host.files.jinja import templates
from ese_host.files.saved_model import load_model
from ese_host.files.svg import chart_style, svg_text
from ese_host.files.words import Field, Words, pack, packed_words, unpack

__all__ = [
    "CHUNK",
    "FULL",
    "LIMIT",
    "Contents",
    "Field",
    "JsonForm",
    "KeepsUnknown",
    "Place",
    "Source",
    "Words",
    "canonical",
    "chart_style",
    "check_target",
    "decode",
    "decode_stream",
    "digest",
    "digest_of",
    "digest_of_stream",
    "digests",
    "encode",
    "load_model",
    "open_plain",
    "pack",
    "packed_words",
    "says_full",
    "size_of",
    "svg_text",
    "templates",
    "unpack",
    "whole_folder",
    "write_by",
    "write_file",
    "write_together",
]
