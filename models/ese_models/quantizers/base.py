"""What all quantizers share: what QKeras asks of one, and their configuration."""

from __future__ import annotations

from typing import Any, TypeVar

from ese_host.errors import UnsupportedError
from ese_host.ir import SCALE_BITS

Own = TypeVar("Own", bound="Quantizer")


class Quantizer:
    """Mixed into QKeras's base, or into a Keras layer where there are variables to train."""

    state_names: tuple[str, ...] = ()
    """Keys of the configuration that hold state."""

    def max(self) -> float:
        """The largest scale and code, for QKeras when it makes a clipping constraint."""
        return float(2 ** (SCALE_BITS - 1))

    def min(self) -> float:
        """The same, negative."""
        return -self.max()

    def allowed_frac(self, max_frac: int) -> int:
        """The fractional bits of the scales at most.

        Raises:
            UnsupportedError: no scale has as many.
        """
        if not 0 <= max_frac <= 30:
            raise UnsupportedError(f"{type(self).__name__}: max_frac is {max_frac}; 0 to 30 are allowed")
        return int(max_frac)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        raise NotImplementedError

    @classmethod
    def from_config(cls: type[Own], config: dict[str, Any]) -> Own:
        """Inverse of `get_config`."""
        return cls(**config)

    def __str__(self) -> str:
        shown = {key: value for key, value in self.get_config().items() if key not in self.state_names}
        return f"{type(self).__name__}({', '.join(f'{key}={value}' for key, value in shown.items())})"
