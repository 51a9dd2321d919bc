# SPDX-License-Identifier: Apache-2.0
"""Quantization of weights once per training step instead of once per time step.

The cells of QKeras's QLSTM and QGRU call their quantizers at every time step of a sequence, always with the same
result. A quantizer whose gradient is a scatter or a reduction, such as a codebook, then costs as much as the rest of
the network. QLSTMP does not need this module: it quantizes its weights once per sequence.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from qkeras import QGRU, QLSTM

from ese_models.networks import parts

QUANTIZED_WEIGHTS = {"kernel_quantizer_internal": "kernel", "recurrent_quantizer_internal": "recurrent_kernel"}
"""Attributes of the cell of a QLSTM or QGRU: name of a quantizer -> name of its weight."""


@contextmanager
def quantized_once(model: Any) -> Iterator[None]:
    """Quantize the weights of a model's QLSTM and QGRU layers once, and use the results within the block.

    The outputs of the model stay the same bit for bit. Its gradients are the same sums, added in another order.

    Args:
        model: a `network`; it must be called within the block, under the same gradient tape and in the same graph.
    """
    cells = [
        (layer.cell, name, getattr(layer.cell, name), getattr(layer.cell, weight))
        for _, layer in parts(model)
        if isinstance(layer, (QLSTM, QGRU))
        for name, weight in QUANTIZED_WEIGHTS.items()
        if getattr(layer.cell, name) is not None
    ]
    values = [quantizer(weight) for _, _, quantizer, weight in cells]
    try:
        for (cell, name, _, _), value in zip(cells, values, strict=True):
            # Writing to __dict__ bypasses Keras's attribute tracking.
            cell.__dict__[name] = lambda _weight, value=value: value
        yield
    finally:
        for cell, name, quantizer, _ in cells:
            cell.__dict__[name] = quantizer
