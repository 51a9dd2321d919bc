# SPDX-License-Identifier: Apache-2.0
"""Tensors of a program: their properties, known before a run, and their values in a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ese_host.errors import CapacityError, FormatError
from ese_host.ir.fixed import Codes, Fixed
from ese_host.ir.sequences import Lengths

Kind = Literal["sequence", "vector"]

MAX_CODE_BITS = 62
"""Most bits of a code, so that 64-bit arithmetic never overflows."""
MAX_FRAC = 96
"""Largest magnitude of a number of fractional bits."""
MAX_WIDTH = 1 << 16
MAX_STEPS = (1 << 16) - 1
MAX_ELEMENTS = 1 << 22
"""Most elements of one sample of a tensor of known length."""


@dataclass(frozen=True)
class Tensor:
    """Properties of a tensor, whose values are code * 2**-frac.

    Attributes:
        width: elements of a frame.
        frac: fractional bits of the codes.
        low: lower bound of the codes.
        high: upper bound of the codes.
        kind: "sequence" for sequences of frames, "vector" for one frame per sample.
        steps: frames of every sample; 1 for a vector, None if lengths vary.
    """

    width: int
    frac: int
    low: int
    high: int
    kind: Kind
    steps: int | None

    def __post_init__(self) -> None:
        if self.kind not in ("sequence", "vector"):
            raise FormatError(f"a tensor's kind is {self.kind!r}; 'sequence' and 'vector' are allowed")
        if self.kind == "vector" and self.steps != 1:
            raise FormatError(f"a vector has {self.steps} steps; exactly 1 is allowed: make it a sequence")
        steps = 1 if self.steps is None else self.steps
        for what, value, limit in (("elements", self.width, MAX_WIDTH), ("steps", steps, MAX_STEPS)):
            if not 1 <= value <= limit:
                raise FormatError(f"a tensor has {value} {what}; 1 to {limit} are allowed")
        if self.width * steps > MAX_ELEMENTS:
            raise CapacityError(
                f"a tensor has {steps} steps of {self.width} elements; at most {MAX_ELEMENTS} elements are allowed"
            )
        check_frac(self.frac)
        if self.low > self.high:
            raise FormatError(f"a tensor's codes span {self.low}..{self.high}; the lower bound must come first")
        check_range(self.low, self.high)

    @classmethod
    def of(cls, form: Fixed, width: int, kind: Kind, steps: int | None) -> Tensor:
        """A tensor whose codes have a fixed-point format.

        Args:
            form: the format.
            width: elements of a frame.
            kind: "sequence" or "vector".
            steps: frames of every sample; 1 for a vector, None if lengths vary.
        """
        return cls(width, form.frac, form.low, form.high, kind, steps)

    def fits(self, form: Fixed) -> bool:
        """Whether the codes are valid codes of a format without any conversion."""
        return self.frac == form.frac and form.low <= self.low and self.high <= form.high


@dataclass(frozen=True, eq=False)
class Value:
    """Values of a tensor for N samples.

    Attributes:
        tensor: the tensor.
        codes: (N, T, width) codes; zero beyond the steps of a sample.
        steps: (N,) steps of each sample, 1 to T; the longest sample has T.
    """

    tensor: Tensor
    codes: Codes
    steps: Lengths

    def __post_init__(self) -> None:
        tensor = self.tensor
        valid = self.codes.ndim == 3 and self.steps.shape == self.codes.shape[:1] and len(self.steps) > 0
        if not valid or self.codes.shape[2] != tensor.width:
            raise FormatError(
                f"values have shape {self.codes.shape} for {self.steps.shape} samples; expected "
                f"(samples, steps, {tensor.width})"
            )
        low, high = int(self.steps.min()), int(self.steps.max())
        if low < 1 or high != self.codes.shape[1]:
            raise FormatError(
                f"values have {self.codes.shape[1]} steps, and samples have {low} to {high}; every sample needs at "
                "least one, and the longest all"
            )
        if tensor.steps is not None and (low, high) != (tensor.steps, tensor.steps):
            raise FormatError(f"samples have {low} to {high} steps; {tensor.steps} are expected of each")

    @property
    def inside(self) -> npt.NDArray[np.bool_]:
        """(N, T, 1) whether a frame is within the steps of its sample."""
        return (np.arange(self.codes.shape[1]) < self.steps[:, None])[:, :, None]

    def with_codes(self, tensor: Tensor, codes: Codes) -> Value:
        """A value with other codes and the same steps; codes beyond the steps of a sample become zero."""
        return Value(tensor, np.where(self.inside, codes, 0), self.steps)


def check_frac(frac: int) -> None:
    """Refuse an absurd number of fractional bits, before anything is shifted by it.

    Raises:
        CapacityError: if it is out of range.
    """
    if not -MAX_FRAC <= frac <= MAX_FRAC:
        raise CapacityError(
            f"a tensor has {frac} fractional bits; {-MAX_FRAC} to {MAX_FRAC} are allowed: put a quantizer before it"
        )


def check_range(low: int, high: int) -> None:
    """Refuse a range of codes with which 64-bit arithmetic could overflow.

    Raises:
        CapacityError: if codes need more than `MAX_CODE_BITS` bits.
    """
    if low < -(1 << (MAX_CODE_BITS - 1)) or high >= 1 << (MAX_CODE_BITS - 1):
        raise CapacityError(
            f"values may need codes {low}..{high}; a code has at most {MAX_CODE_BITS} bits: put a quantizer before it"
        )
