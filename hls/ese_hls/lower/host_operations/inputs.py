# SPDX-License-Identifier: Apache-2.0
"""Inputs of a program: the formats of their codes, and codes fine enough for the layers that decide by them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ese_hls.lower.host_operations.activations import decisive_value
from ese_hls.lower.partition import Partition
from ese_host.ir import Fixed
from ese_host.ir.program import Kind, Port

WIDE = Fixed(48, 16)
"""Format of an input by whose values a layer decides."""


def input_port(partition: Partition, node: Any, form: Fixed, kind: Kind, steps: int | None) -> None:
    """Add an input of the model.

    If a layer right behind an input without quantizer decides by its values, such as Masking or a sign, the port has
    finer codes, so that the decision is the one on Keras's values; all other readers get rounded values.

    Args:
        partition: the program being built.
        node: the input's node.
        form: format in which a chain reads the input.
        kind: whether samples are sequences or vectors.
        steps: frames of every sequence, or None.
    """
    width = int((node.get_attr("extents") or (1,))[-1] or 1)
    value = None if node.get_attr("quantized") else decisive_value(node)
    if value is None or node.get_attr("source") is not None:
        partition.add_port(node, Port(node.name, width, form, kind, steps, _code(value, form)))
        return
    integer = max(form.integer, WIDE.integer, int(np.frexp(value)[1]) + 1)
    wide = Fixed(WIDE.bits, integer)
    partition.add_port(node, Port(node.name, width, wide, kind, steps, _code(value, wide)))
    partition.places[node.name] = "host: input"
    rounded = partition.quantized(node, node.name, form, f"{node.name}_rounded")
    partition.assign(node, rounded)
    partition.unrounded[rounded] = node.name


def _code(value: float | None, form: Fixed) -> int | None:
    """The code of a value, or None if the format does not have it."""
    if value is None or form.from_float(value) != np.ldexp(value, form.frac):
        return None
    return int(form.from_float(value))
