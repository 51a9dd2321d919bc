# SPDX-License-Identifier: Apache-2.0
"""A second decoder of image files and a second engine, written only from the pages, with only the standard library.

It shares no code with the packages, so an image that it decodes and runs correctly proves that image-format.md,
docs/reference/numerics.md and docs/reference/packets.md are complete.
"""

from support.second_decoder.bits import RefusedImageError
from support.second_decoder.decoder import DecodedImage, DecodedPhase, decode
from support.second_decoder.design import Facts, canonical_design, design_id
from support.second_decoder.interpreter import Interpreter
from support.second_decoder.records import HEADER, RECORD, SKIP_RECORD, section_sizes
from support.second_decoder.steps import SampleFrames, apply
from support.second_decoder.stored_form import expand

__all__ = [
    "HEADER",
    "RECORD",
    "SKIP_RECORD",
    "DecodedImage",
    "DecodedPhase",
    "Facts",
    "Interpreter",
    "RefusedImageError",
    "SampleFrames",
    "apply",
    "canonical_design",
    "decode",
    "design_id",
    "expand",
    "section_sizes",
]
