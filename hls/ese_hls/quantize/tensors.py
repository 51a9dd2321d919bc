# SPDX-License-Identifier: Apache-2.0
"""Weight arrays (in Keras layout) and quantizer objects of a Keras layer, the same for both generations of QKeras."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ese_hls.quantize.formats import describe
from ese_host.errors import FormatError
from ese_host.ir import Fixed

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class WeightTensor:
    """A float weight array and its quantizer.

    Attributes:
        layer: the layer's name.
        name: kernel, recurrent_kernel, bias, peephole_kernel or projection_kernel.
        values: (inputs, outputs) for a kernel, (outputs,) for a bias, (3, units) for peepholes.
        quantizer: the callable quantizer, or None.
        precision: the format that hls4ml's configuration sets for an array without quantizer, or None.
    """

    layer: str
    name: str
    values: Floats
    quantizer: Any
    precision: Fixed | None = None

    def __post_init__(self) -> None:
        if not np.isfinite(self.values).all():
            index = tuple(int(i) for i in np.argwhere(~np.isfinite(self.values))[0])
            raise FormatError(
                f"layer {self.layer!r}: {self.name} is {self.values[index]} at {index}; weights must be finite: "
                "train the model again or load another checkpoint"
            )

    @property
    def where(self) -> str:
        """The tensor's name in messages."""
        return f"layer {self.layer!r}: {self.name}"

    @property
    def described(self) -> str:
        """The quantizer or precision that rounds the array, as a user writes it; "none" if there is neither."""
        if self.quantizer is not None or self.precision is None:
            return "none" if self.quantizer is None else describe(self.quantizer)
        return str(self.precision)

    @property
    def precision_name(self) -> str:
        """The tensor's name in hls4ml's configuration."""
        return {"kernel": "weight", "recurrent_kernel": "recurrent_weight"}.get(self.name, self.name)


@dataclass(frozen=True, eq=False)
class LayerTensors:
    """The weights of one layer, and its quantizers of other values.

    Attributes:
        class_name: the Keras class, for messages.
        kernel: (inputs, outputs); the outputs of an LSTM are its gates i, f, c, o, `units` columns each, and those of
            a GRU z, r and the candidate.
        recurrent: recurrent kernel of an LSTM, (units, 4 * units), or (projected, 4 * units) with a projection; of a
            GRU, (units, 3 * units).
        bias: (outputs,), or None if the layer has no bias; (2, outputs) of a GRU with `reset_after`: that of the
            kernel and that of the recurrent kernel.
        peepholes: (3, units) for the gates i, f, o, or None.
        projection: (units, projected) projection kernel, or None.
        product: quantizer of o * tanh(c), which the projection reads, or None.
        state: quantizer of the states h and c, or None.
        activation: a recurrent layer's activation of the candidate, and of c, or None.
        recurrent_activation: a recurrent layer's activation of the gates, or None.
        reset_after: whether a GRU's r multiplies the candidate's recurrent sum, and not h before that.
    """

    class_name: str
    kernel: WeightTensor
    recurrent: WeightTensor | None = None
    bias: WeightTensor | None = None
    peepholes: WeightTensor | None = None
    projection: WeightTensor | None = None
    product: Any = None
    state: Any = None
    activation: Any = None
    recurrent_activation: Any = None
    reset_after: bool = False

    def named(self, layer: str) -> LayerTensors:
        """The same tensors under another name of the layer."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        renamed: dict[str, Any] = {
            name: replace(part, layer=layer) for name, part in parts.items() if isinstance(part, WeightTensor)
        }
        return replace(self, **renamed)
