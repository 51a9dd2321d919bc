# SPDX-License-Identifier: Apache-2.0
"""Base of all quantizers: the methods that QKeras expects, and their configuration."""

from __future__ import annotations

from typing import Any, TypeVar

from ese_host.errors import UnsupportedError
from ese_host.ir import SCALE_BITS

AnyQuantizer = TypeVar("AnyQuantizer", bound="Quantizer")


class Quantizer:
    """Mixin for QKeras's base class of quantizers, or for a Keras layer if the quantizer has variables to train."""

    state_names: tuple[str, ...] = ()
    """Keys of the configuration that hold state; `str` leaves them out."""

    def max(self) -> float:
        """Bound on the quantized values; QKeras asks for it when it makes a clipping constraint."""
        return float(2 ** (SCALE_BITS - 1))

    def min(self) -> float:
        """Lower bound on the quantized values, `-max()`."""
        return -self.max()

    def allowed_frac(self, max_frac: int) -> int:
        """Check the largest number of fractional bits of the scales and return it.

        Raises:
            UnsupportedError: if it is not within 0 to 30.
        """
        if not 0 <= max_frac <= 30:
            raise UnsupportedError(f"{type(self).__name__}: max_frac is {max_frac}; 0 to 30 are allowed")
        return int(max_frac)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments, as Keras saves them."""
        raise NotImplementedError

    @classmethod
    def from_config(cls: type[AnyQuantizer], config: dict[str, Any]) -> AnyQuantizer:
        """Inverse of `get_config`."""
        return cls(**config)

    def __str__(self) -> str:
        shown = {key: value for key, value in self.get_config().items() if key not in self.state_names}
        return f"{type(self).__name__}({', '.join(f'{key}={value}' for key, value in shown.items())})"
