# SPDX-License-Identifier: Apache-2.0
"""Fixed-point formats and the project's only rounding rule: half to even, then saturate (docs/reference/numerics.md).

Values are passed around as integer *codes*: value = code * 2**-frac. Every function here is exact on integers.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError
from ese_host.files import decode

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Fixed:
    """A fixed-point format, with bits counted as in ap_fixed.

    >>> Fixed(16, 4).frac, Fixed(16, 4).low, Fixed(16, 4).high
    (12, -32768, 32767)
    >>> Fixed(8, 0, signed=False).high
    255

    Attributes:
        bits: all bits of a code, 1 to 48.
        integer: bits before the binary point, the sign bit included; may be negative or exceed `bits`.
        signed: whether codes are in two's complement.
        symmetric: whether the lowest code is unused, as in QKeras's symmetric quantizers.
    """

    bits: int
    integer: int
    signed: bool = True
    symmetric: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 48:
            raise FormatError(f"Fixed: bits is {self.bits}; 1 to 48 are allowed: narrow the quantizer")
        if not -32 <= self.frac <= 48:
            raise FormatError(
                f"Fixed: {self.bits} bits with {self.integer} integer bits has {self.frac} fractional bits; "
                "-32 to 48 are allowed: change the quantizer's integer bits"
            )

    def __str__(self) -> str:
        """The format in hls4ml's notation."""
        text = f"{'' if self.signed else 'u'}fixed<{self.bits},{self.integer}>"
        return f"{text} without its lowest code" if self.symmetric else text

    @property
    def frac(self) -> int:
        """Fractional bits: the least significant bit has the value 2**-frac."""
        return self.bits - self.integer

    @property
    def low(self) -> int:
        """Smallest code."""
        return (-(1 << (self.bits - 1)) if self.signed else 0) + self.symmetric

    @property
    def high(self) -> int:
        """Largest code."""
        return (1 << (self.bits - self.signed)) - 1

    def times(self, other: Fixed) -> Fixed:
        """The signed format of the exact product of two values."""
        return Fixed(self.bits + other.bits, self.integer + other.integer)

    @property
    def reach(self) -> tuple[float, float]:
        """The bounds beyond which a value is saturated by more than its rounding."""
        return math.ldexp(self.low - 0.5, -self.frac), math.ldexp(self.high + 0.5, -self.frac)

    def from_float(self, values: npt.ArrayLike) -> Codes:
        """Codes of real values, rounded half to even and saturated.

        Raises:
            FormatError: if a value is NaN, masked or no real number.
        """
        try:
            given = np.asarray(values)
            if given.dtype.kind in "OSUcmM" or isinstance(values, np.ma.MaskedArray):
                raise TypeError(f"their type is {type(values).__name__} of {given.dtype}")
            array = given.astype(np.float64, copy=False)
        except (ValueError, TypeError, OverflowError) as error:
            raise FormatError(
                f"values cannot be converted ({error}); real numbers in one array are expected"
            ) from error
        if np.isnan(array).any():
            index = tuple(int(i) for i in np.argwhere(np.isnan(array))[0])
            raise FormatError(
                f"value at {index} is NaN; only numbers have a fixed-point code: check the data or weights"
            )
        codes: Codes = np.clip(np.rint(np.ldexp(array, self.frac)), self.low, self.high).astype(np.int64)
        return codes

    def to_float(self, codes: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Real values of codes, exact for up to 53 bits."""
        return np.ldexp(np.asarray(codes, dtype=np.float64), -self.frac)

    def quantize(self, codes: npt.ArrayLike, frac: int) -> Codes:
        """Convert codes with `frac` fractional bits to this format: round half to even, saturate.

        In terms of ap_fixed this is AP_RND_CONV with AP_SAT.
        """
        return np.clip(round_half_even(codes, frac - self.frac), self.low, self.high)

    def to_json(self) -> dict[str, Any]:
        """The format as a dictionary of plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> Fixed:
        """Inverse of `to_json`.

        Raises:
            FormatError: if the value is no such dictionary, or a field is out of range.
        """
        return decode(cls, value, "fixed-point format")


def round_half_even(codes: npt.ArrayLike, shift: int) -> Codes:
    """Compute codes * 2**-shift, rounded half to even; a negative shift multiplies exactly.

    >>> round_half_even([1, 2, 3, 5, 6, 7, -2, -6], 2).tolist()
    [0, 0, 1, 1, 2, 2, 0, -2]

    Raises:
        FormatError: if the shift exceeds 62 bits.
    """
    array = np.asarray(codes, dtype=np.int64)
    if shift <= 0:
        return np.left_shift(array, -shift)
    if shift > 62:
        raise FormatError(f"{shift} fractional bits are to be rounded away; at most 62 are possible with 64-bit codes")
    floor = np.right_shift(array, shift)
    rest = array - np.left_shift(floor, shift)
    half = np.int64(1) << (shift - 1)
    up = (rest > half) | ((rest == half) & ((floor & 1) == 1))
    return np.add(floor, up, dtype=np.int64)
