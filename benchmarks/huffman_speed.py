# SPDX-License-Identifier: Apache-2.0
"""Processor time of encoding ESE's layer, of Huffman-coding its image and of decoding it: compression.md.

    python -m benchmarks.huffman_speed

prints a Markdown table.
"""

from __future__ import annotations

import time

import numpy as np

from ese_hls.encode import compressed as storing
from ese_hls.encode import encoder, fit_design
from ese_host.image import compressed
from support.ese_layer import WEIGHTS, ese_layer

REPEATS = 5

if __name__ == "__main__":
    print(f"| {WEIGHTS:,} weights at 11%, 64 PEs | encode s | code s | decode s | image bytes | stored bytes |")
    print("|---|---:|---:|---:|---:|---:|")
    for kind in ("ternary", "int4"):
        network = ese_layer(64, density=0.11, weights=kind, family="pe-balanced")
        design = fit_design.choose_design(network, pes=64)
        times = np.zeros((REPEATS, 3))
        for row in times:
            marks = [time.process_time()]
            words = np.frombuffer(encoder.encode(network, design), dtype="<u4").astype(np.uint32)
            marks.append(time.process_time())
            coded = storing.compress(words, design)
            marks.append(time.process_time())
            assert (compressed.expand(coded, design, "image") == words).all()
            marks.append(time.process_time())
            row[:] = np.diff(marks)
        encode, code, decode = np.median(times, axis=0)
        print(f"| {kind} | {encode:.2f} | {code:.2f} | {decode:.2f} | {4 * len(words):,} | {4 * len(coded):,} |")
