# SPDX-License-Identifier: Apache-2.0
"""The interface of weight quantizers that give their own integer codes to training and conversion (weights.md)."""

from __future__ import annotations

from typing import Protocol, TypeGuard, runtime_checkable

import numpy.typing as npt

from ese_host.errors import UnsupportedError
from ese_host.ir.fixed import Codes


@runtime_checkable
class TellsCodes(Protocol):
    """A weight quantizer that Keras can call and that also gives its weights as integer codes."""

    @property
    def kind(self) -> str:
        """Kind of the codes: a key of `ese_host.ir.weight_kinds.WEIGHT_KINDS` if an engine is to hold them."""

    def codes_and_scale(self, weights: npt.ArrayLike) -> tuple[Codes, Codes, int]:
        """Convert (inputs, outputs) weights to integers.

        Returns:
            (inputs, outputs) codes, zero for pruned weights; unsigned 16-bit scales, (outputs,), or (2, outputs) for
            positive and negative levels; fractional bits of the scales.
        """


@runtime_checkable
class TellsCodebook(TellsCodes, Protocol):
    """A weight quantizer whose codes are indices into a codebook."""

    @property
    def codebook(self) -> Codes:
        """(16,) 16-bit levels, the first of them 0, read after `codes_and_scale`.

        Larger codebooks serve reports of storage; an engine cannot hold them.
        """


def tells_codes(quantizer: object) -> TypeGuard[TellsCodes]:
    """Whether a quantizer gives its own codes; otherwise the codes must be derived from its output values.

    Raises:
        UnsupportedError: if it has `codes_and_scale` but no `kind`.
    """
    if isinstance(quantizer, TellsCodes):
        return True
    if hasattr(quantizer, "codes_and_scale"):
        raise UnsupportedError(
            f"quantizer {type(quantizer).__name__} has codes_and_scale but no kind: add what its codes are, e.g. "
            "kind = 'int4' (docs/reference/weights.md)"
        )
    return False
