# SPDX-License-Identifier: Apache-2.0
"""The weight kind of a model: the narrowest one that holds every level of every matrix, as an engine has only one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ese_host.errors import UnsupportedError
from ese_host.ir import WEIGHT_KINDS, Codes, Matrix, WeightKind

INTEGER_KINDS: tuple[WeightKind, ...] = tuple(name for name, kind in WEIGHT_KINDS.items() if kind.own_level)
"""Weight kinds without codebook, whose stored code is the level; narrowest first."""
WIDEST = WEIGHT_KINDS[INTEGER_KINDS[-1]]
"""The widest of them."""


def narrowest(levels: Codes) -> WeightKind | None:
    """The narrowest weight kind without codebook that holds all levels; None if they need more than 16 bits.

    >>> import numpy as np
    >>> [narrowest(np.array(levels)) for levels in ([-1, 0, 1], [7, -8], [8], [1 << 15])]
    ['ternary', 'int4', 'int8', None]
    """
    low, high = int(levels.min()), int(levels.max())
    return next((kind for kind in INTEGER_KINDS if WEIGHT_KINDS[kind].holds(low, high)), None)


def common_kind(matrices: Sequence[tuple[str, Matrix]], asked: WeightKind | None = None) -> tuple[WeightKind, str]:
    """The weight kind of a whole model, and a sentence that gives the reason.

    Args:
        matrices: all matrices of the model, each with its name in messages.
        asked: the kind that the user asks for, or None for the narrowest.

    Raises:
        UnsupportedError: if a matrix has levels that the kind asked for, or any kind, does not hold.
    """
    first = matrices[0][1].kind
    if all(matrix.codebook is not None and matrix.kind == first for _, matrix in matrices) and asked in (None, first):
        return first, f"weights are {first}: every matrix has a codebook"
    widest = INTEGER_KINDS[0]
    cause = matrices[0]
    for item in matrices:
        kind = narrowest(item[1].levels)
        if kind is None:
            raise UnsupportedError(
                f"{item[0]} has {_span(item[1])}; the engine holds levels {WIDEST.low}..{WIDEST.high}: scale the "
                "codebook down"
            )
        if INTEGER_KINDS.index(kind) > INTEGER_KINDS.index(widest):
            widest, cause = kind, item
    where, matrix = cause
    span = f"{where} has {_span(matrix)}"
    if asked is None:
        others = sum(narrowest(other.levels) != widest for _, other in matrices)
        rest = f"; {others} of {len(matrices)} matrices would fit a narrower kind" if others else ""
        return widest, f"weights are {widest}, the narrowest kind that holds all of them: {span}{rest}"
    if asked not in INTEGER_KINDS or INTEGER_KINDS.index(asked) < INTEGER_KINDS.index(widest):
        raise UnsupportedError(
            f"hls_config['Model']['WeightCode'] is {asked!r}, but {span}, which need {widest}: leave 'WeightCode' out, "
            f"or choose {widest!r} or a wider kind"
        )
    return asked, f"weights are {asked}, as configured; {widest} would hold all of them"


def as_kind(matrix: Matrix, kind: WeightKind) -> Matrix:
    """A matrix stored as another weight kind; codes of a codebook are replaced by their levels."""
    if matrix.kind == kind:
        return matrix
    return replace(matrix, codes=matrix.levels, kind=kind, codebook=None)


def _span(matrix: Matrix) -> str:
    """The range of a matrix's levels, for messages."""
    return f"levels {matrix.levels.min()}..{matrix.levels.max()}"
