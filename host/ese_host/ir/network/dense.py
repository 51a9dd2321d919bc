# SPDX-License-Identifier: Apache-2.0
"""Fully connected layers in integers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ese_host.errors import FormatError
from ese_host.ir.fixed import Codes, Fixed
from ese_host.ir.network.matrix import Matrix, Part


@dataclass(frozen=True, eq=False)
class Dense:
    """A fully connected layer.

    Attributes:
        name: the Keras layer's name.
        kernel: (outputs, inputs) weights.
        bias: (outputs,) codes with `bias_frac` fractional bits.
        bias_frac: fractional bits of the bias.
        relu: whether negative sums become zero.
        source: format of the input.
        output: format of the output; None if it is the exact sum.
    """

    name: str
    kernel: Matrix
    bias: Codes
    bias_frac: int
    relu: bool
    source: Fixed
    output: Fixed | None

    def __post_init__(self) -> None:
        if self.bias.shape != (len(self.kernel.codes),):
            raise FormatError(f"layer {self.name!r}: bias is {self.bias.shape}; expected {(len(self.kernel.codes),)}")

    @property
    def outputs(self) -> int:
        """Width of the layer's output."""
        return len(self.bias)

    @cached_property
    def exact_range(self) -> tuple[int, int, int]:
        """Fractional bits of the exact sums before ReLU, and their smallest and largest code.

        The bounds follow from the weights of each row and from the format of the inputs.
        """
        kernel, source = self.kernel, self.source
        frac = max(source.frac + kernel.scale_frac, self.bias_frac)
        positive = np.maximum(kernel.levels, 0).sum(axis=1).astype(object) * kernel.scale[0]
        negative = np.minimum(kernel.levels, 0).sum(axis=1).astype(object) * kernel.scale[1]
        factor = 2 ** (frac - source.frac - kernel.scale_frac)
        bias = self.bias.astype(object) * 2 ** (frac - self.bias_frac)
        low = min((positive * source.low + negative * source.high) * factor + bias)
        high = max((positive * source.high + negative * source.low) * factor + bias)
        return frac, int(low), int(high)

    def matrices(self) -> dict[Part, Matrix]:
        """The kernel by name, in the form of `Recurrent.matrices`."""
        return {"kernel": self.kernel}

    def places(self, _part: Part) -> tuple[int, ...]:
        """The row of an item to which a matrix adds: a single one, as rows are independent."""
        return (0,)
