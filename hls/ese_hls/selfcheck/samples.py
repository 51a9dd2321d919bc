# SPDX-License-Identifier: Apache-2.0
"""Samples of the self-check: the user's, or random ones within the range of each input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ese_hls.lower import Conversion
from ese_host.interface import Extents
from ese_host.ir import ELEMENT_BITS, Codes, Fixed
from ese_host.ir.program import Chain, Embedding, Gather, Mask, Port, ProgramStep, Quantize, Reshape

STEPS = 8
"""Steps of a sample whose length the model does not fix."""
VALUES = 1 << 18
"""Values of an input beyond which there are fewer samples."""
MASKED = 0.25
"""Share of masked frames behind an input with a Masking layer."""
OFFSETS = (0.0, 0.5, -0.5, 0.25, 0.3, -0.4, 4.0)
"""Distances of values from codes, in units of the last bit, where the model rounds its inputs."""
TINY, TINY_SHARE = 2.0**-14, 0.1
"""Factor of very small values, and their share."""
SEED = 17


def random_samples(conversion: Conversion, shapes: dict[str, Extents], count: int, least: int = 1) -> dict[str, Any]:
    """Random samples of every input, as float32 in Keras's shapes.

    A vector is uniform within a part of the input's range, a sequence a random walk within it; the part is another
    power of two for each sample, so that large and small values occur. Behind an input with a Masking layer some
    frames are masked. Values are codes of the input's format; if the model itself rounds its inputs, also values
    between codes and beyond the format's ends.

    Args:
        conversion: the converted model.
        shapes: Keras's shape of each input without the sample axis.
        count: number of samples; large ones are fewer.
        least: the fewest samples.
    """
    random = np.random.default_rng(SEED)
    halves = {name for split in conversion.splits for name in split.inner}  # no layer reads them as they are
    steps = [step for step in conversion.program.steps if step.target not in halves]
    rounded = {item.tensor for item in conversion.known if item.layer is None}
    size = max(_steps(port) * port.width for port in conversion.inputs)
    count = max(least, min(count, VALUES // size))
    samples = {}
    for port, inner in zip(conversion.inputs, conversion.program.inputs, strict=True):
        form = _read_form(inner, steps)
        codes = _codes(random, replace(port, format=form, exact=None), _steps(port), count)
        largest = min(_numbers(inner.name, steps), default=None)
        if largest is not None:
            codes = random.integers(0, largest + 1, codes.shape)
            codes.reshape(count, -1)[:, -1] = largest  # where zero masks a frame, a sample needs another
        values = form.to_float(codes)
        if inner.name in rounded:
            values += np.ldexp(random.choice(OFFSETS, values.shape), -form.frac)
        elif form != port.format:  # values that round to zero but are not zero
            values[random.random(values.shape) < TINY_SHARE] *= TINY
        for mask in (step for step in steps if isinstance(step, Mask) and inner.name in step.sources):
            told_by = inner.format if mask.sources[-1] == inner.name else form
            left_out = told_by.to_float(mask.code)
            values[random.random(values.shape[:2]) < MASKED] = left_out
            values[:, -1, 0] = left_out + np.ldexp(1.0, -form.frac)  # a sample needs a frame
        shape = (STEPS if extent is None else extent for extent in shapes[port.name])
        samples[port.name] = values.reshape(count, *shape).astype(np.float32)
    return samples


def _read_form(port: Port, steps: Sequence[ProgramStep]) -> Fixed:
    """The format in which the model's layers read an input: a port may be finer, for decisions on its values."""
    forms = [step.format for step in steps if isinstance(step, Quantize) and step.source == port.name]
    return max(forms, key=lambda form: form.integer) if port.format.bits > ELEMENT_BITS and forms else port.format


def _numbers(tensor: str, steps: Sequence[ProgramStep]) -> Iterator[int]:
    """The largest number that each embedding takes that reads a tensor, or a tensor of its values.

    A chain before an embedding is the identity of a model without engine layers.
    """
    for step in steps:
        if tensor in step.sources and isinstance(step, Embedding):
            yield len(step.rows) - 1
        elif tensor in step.sources and isinstance(step, (Chain, Gather, Mask, Quantize, Reshape)):
            yield from _numbers(step.target, steps)


def _steps(port: Port) -> int:
    return 1 if port.kind == "vector" else port.steps or STEPS


def _codes(random: Any, port: Port, steps: int, count: int) -> Codes:
    """(count, steps, width) codes."""
    form = port.format
    low, high = form.to_float(form.low), form.to_float(form.high)
    part = np.ldexp(1.0, -random.integers(0, 7, (count, 1, 1)))
    start = random.uniform(low, high, (count, 1, port.width))
    walk = start + np.cumsum(random.normal(0, (high - low) / 16, (count, steps, port.width)), axis=1)
    return form.from_float(np.clip(walk, low, high) * part)
