"""What a program knows of a tensor before it runs, and a tensor's values in a run."""

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
"""Bits that a code may have, so that 64-bit arithmetic never overflows."""
MAX_FRAC = 96
MAX_WIDTH = 1 << 16
MAX_STEPS = (1 << 16) - 1
MAX_ELEMENTS = 1 << 22
"""Elements of one sample of a tensor of known length."""


@dataclass(frozen=True)
class Tensor:
    """What is known of a tensor: value = code * 2**-frac.

    Attributes:
        width: elements of a frame. frac: fractional bits. low, high: the codes lie between them.
        kind: a sequence of frames, or one vector.
        steps: frames of each sample; 1 for a vector, None where samples differ.
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
            raise FormatError(f"a vector has {self.steps} steps; it has 1: make it a sequence")
        steps = 1 if self.steps is None else self.steps
        for what, value, limit in (("elements", self.width, MAX_WIDTH), ("steps", steps, MAX_STEPS)):
            if not 1 <= value <= limit:
                raise FormatError(f"a tensor has {value} {what}; 1 to {limit} are allowed")
        if self.width * steps > MAX_ELEMENTS:
            raise CapacityError(f"a tensor has {steps} steps of {self.width} elements; {MAX_ELEMENTS} are held")
        check_frac(self.frac)
        if self.low > self.high:
            raise FormatError(f"a tensor's codes span {self.low}..{self.high}; the first is the smaller one")
        check_range(self.low, self.high)

    @classmethod
    def of(cls, form: Fixed, width: int, kind: Kind, steps: int | None) -> Tensor:
        """A tensor in a fixed-point format."""
        return cls(width, form.frac, form.low, form.high, kind, steps)

    def fits(self, form: Fixed) -> bool:
        """Whether every code is one of a format, as it stands."""
        return self.frac == form.frac and form.low <= self.low and self.high <= form.high


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor's values: codes (N, T, width), zero beyond each sample's own steps (N,)."""

    tensor: Tensor
    codes: Codes
    steps: Lengths

    def __post_init__(self) -> None:
        tensor = self.tensor
        sound = self.codes.ndim == 3 and self.steps.shape == self.codes.shape[:1] and len(self.steps) > 0
        if not sound or self.codes.shape[2] != tensor.width:
            raise FormatError(
                f"values have shape {self.codes.shape} for {self.steps.shape} samples; expected "
                f"(samples, steps, {tensor.width})"
            )
        low, high = int(self.steps.min()), int(self.steps.max())
        if low < 1 or high != self.codes.shape[1]:
            raise FormatError(
                f"values have {self.codes.shape[1]} steps and samples of {low} to {high}; each has one at least, and "
                "the longest has all"
            )
        if tensor.steps is not None and (low, high) != (tensor.steps, tensor.steps):
            raise FormatError(f"samples have {low} to {high} steps; {tensor.steps} are expected of each")

    @property
    def inside(self) -> npt.NDArray[np.bool_]:
        """(N, T, 1) whether a frame is one of its sample's own."""
        return (np.arange(self.codes.shape[1]) < self.steps[:, None])[:, :, None]

    def with_codes(self, tensor: Tensor, codes: Codes) -> Value:
        """Other codes of the same samples and steps; what lies beyond becomes zero."""
        return Value(tensor, np.where(self.inside, codes, 0), self.steps)


def check_frac(frac: int) -> None:
    """Refuse a binary point that no program needs, before anything is shifted by it.

    Raises:
        CapacityError: it is out of range.
    """
    if not -MAX_FRAC <= frac <= MAX_FRAC:
        raise CapacityError(f"a tensor has {frac} fractional bits; {-MAX_FRAC} to {MAX_FRAC} are held: quantize before")


def check_range(low: int, high: int) -> None:
    """Refuse codes that 64-bit arithmetic may not hold.

    Raises:
        CapacityError: more than `MAX_CODE_BITS` bits are needed.
    """
    if low < -(1 << (MAX_CODE_BITS - 1)) or high >= 1 << (MAX_CODE_BITS - 1):
        raise CapacityError(
            f"values may need codes {low}..{high}; {MAX_CODE_BITS} bits are held: put a quantizer before"
        )
