"""Weights that are quantized once a training step, not once a time step.

qkeras's QLSTMCell calls its quantizers at every step of a sequence. Their results are the same each time, but a
quantizer whose gradient is a scatter or a reduction, a codebook above all, then costs as much as the network, a hundred
times a batch. QLSTMP holds its weights by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from qkeras import QLSTM

from ese_models.networks import parts

QUANTIZED_WEIGHTS = {"kernel_quantizer_internal": "kernel", "recurrent_quantizer_internal": "recurrent_kernel"}
"""Attributes of a QLSTM's cell: quantizer -> its weight."""


@contextmanager
def quantized_once(model: Any) -> Iterator[None]:
    """Within, the quantizers of a model's QLSTM layers give what they give now.

    Outputs stay the same bit for bit; gradients are those of the same sums, added up in another order.

    Args:
        model: a `network`; its layers are called within, under the same tape, in one graph.
    """
    found = [
        (layer.cell, name, getattr(layer.cell, name), getattr(layer.cell, weight))
        for _, layer in parts(model)
        if isinstance(layer, QLSTM)
        for name, weight in QUANTIZED_WEIGHTS.items()
        if getattr(layer.cell, name) is not None
    ]
    values = [quantizer(weight) for _, _, quantizer, weight in found]
    try:
        for (cell, name, _, _), value in zip(found, values, strict=True):
            cell.__dict__[name] = lambda _weight, value=value: value  # past Keras, which would track it
        yield
    finally:
        for cell, name, quantizer, _ in found:
            cell.__dict__[name] = quantizer
