# SPDX-License-Identifier: Apache-2.0
"""Decoding of frame-wise outputs: the likeliest phones by a hidden Markov model, and how far they are from labels."""

from ese_host.decoding.decoder import FORBIDDEN, MAX_BYTES, UNIT, Decoder, read, write
from ese_host.decoding.phone_errors import NO_LABEL, aligned, collapsed, edit_distance, phone_errors, standard_error
from ese_host.decoding.scores import PhoneScores, check_fits, frame_phones
from ese_host.decoding.transcript import SpokenPhone, Transcript

__all__ = [
    "FORBIDDEN",
    "MAX_BYTES",
    "NO_LABEL",
    "UNIT",
    "Decoder",
    "PhoneScores",
    "SpokenPhone",
    "Transcript",
    "aligned",
    "check_fits",
    "collapsed",
    "edit_distance",
    "frame_phones",
    "phone_errors",
    "read",
    "standard_error",
    "write",
]
