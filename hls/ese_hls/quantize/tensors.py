"""A Keras layer as conversion sees it: arrays in Keras layout and quantizer objects, of whatever QKeras generation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ese_hls.quantize.formats import describe
from ese_host.errors import FormatError
from ese_host.ir import Fixed

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class WeightTensor:
    """A float weight array and what quantizes it.

    Attributes:
        layer: the layer's name. name: kernel, recurrent_kernel, bias, peephole_kernel or projection_kernel.
        values: (inputs, outputs) for kernels, (outputs,) for a bias.
        quantizer: a callable quantizer, or None.
        precision: format that hls4ml's configuration gives an array without quantizer, or None.
    """

    layer: str
    name: str
    values: Floats
    quantizer: Any
    precision: Fixed | None = None

    def __post_init__(self) -> None:
        if not np.isfinite(self.values).all():
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(self.values))[0])
            raise FormatError(
                f"layer {self.layer!r}: {self.name} is {self.values[where]} at {where}; weights must be finite: "
                "train the model again or load a sound checkpoint"
            )

    @property
    def where(self) -> str:
        """How messages name the tensor."""
        return f"layer {self.layer!r}: {self.name}"

    @property
    def described(self) -> str:
        """What rounds the array, as a user wrote it; "none" where nothing does."""
        if self.quantizer is not None or self.precision is None:
            return "none" if self.quantizer is None else describe(self.quantizer)
        form = self.precision
        return f"{'' if form.signed else 'u'}fixed<{form.bits},{form.integer}>"

    @property
    def precision_name(self) -> str:
        """The tensor's name in hls4ml's configuration."""
        return {"kernel": "weight", "recurrent_kernel": "recurrent_weight"}.get(self.name, self.name)


@dataclass(frozen=True, eq=False)
class LayerTensors:
    """The weights of one layer and its other quantizers.

    Attributes:
        class_name: the Keras class, for messages.
        kernel: (inputs, outputs); an LSTM's outputs are its gates i, f, c, o, units each.
        recurrent: (units, 4 * units) of an LSTM, else None.
        bias: (outputs,), or None where the layer has none.
        peepholes: (3, units) of the gates i, f, o, or None.
        projection: (units, projected), or None. product: quantizer of what it reads, o * tanh(c), or None.
        state: quantizer of h and c, or None.
        activation: an LSTM's activation of the candidate and of c, or None.
        recurrent_activation: an LSTM's activation of i, f, o, or None.
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
