"""What training and conversion ask of a weight quantizer that tells its own codes (docs/weights.md)."""

from __future__ import annotations

from typing import Protocol, TypeGuard, runtime_checkable

import numpy.typing as npt

from ese_host.errors import UnsupportedError
from ese_host.ir.fixed import Codes


@runtime_checkable
class TellsCodes(Protocol):
    """A quantizer that is called as Keras calls it, and says besides which integers its values are."""

    @property
    def kind(self) -> str:
        """Kind of its codes: a key of `ese_host.ir.weight_kinds.WEIGHT_KINDS` where the engine is to hold them."""

    def codes_and_scale(self, weights: npt.ArrayLike) -> tuple[Codes, Codes, int]:
        """Integer form of (inputs, outputs) weights.

        Returns:
            (inputs, outputs) codes, zero where there is no weight; unsigned 16-bit scales, (outputs,), or (2, outputs)
            for positive and negative levels; fractional bits of the scales.
        """


@runtime_checkable
class TellsCodebook(TellsCodes, Protocol):
    """One whose codes are indices."""

    @property
    def codebook(self) -> Codes:
        """(16,) 16-bit levels, the first of them 0; read after `codes_and_scale`. More serve storage reports."""


def tells_codes(quantizer: object) -> TypeGuard[TellsCodes]:
    """Whether a quantizer tells its own codes; else they are read from its values.

    Raises:
        UnsupportedError: it has `codes_and_scale`, but does not say of which kind its codes are.
    """
    if isinstance(quantizer, TellsCodes):
        return True
    if hasattr(quantizer, "codes_and_scale"):
        raise UnsupportedError(
            f"quantizer {type(quantizer).__name__} has codes_and_scale but no kind: add what its codes are, e.g. "
            "kind = 'int4' (docs/weights.md)"
        )
    return False
