"""The one kind of weight that an engine holds: the narrowest that has every level of every matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ese_host.errors import UnsupportedError
from ese_host.ir import WEIGHT_KINDS, Codes, Matrix, WeightKind

INTEGER_KINDS: tuple[WeightKind, ...] = tuple(name for name, kind in WEIGHT_KINDS.items() if kind.own_level)
"""Kinds whose level is the code itself, narrowest first."""
WIDEST = WEIGHT_KINDS[INTEGER_KINDS[-1]]
"""What the widest of them holds."""


def narrowest(levels: Codes) -> WeightKind | None:
    """The narrowest integer kind that has all these levels; None where 16 bits do not hold them.

    >>> import numpy as np
    >>> [narrowest(np.array(levels)) for levels in ([-1, 0, 1], [7, -8], [8], [1 << 15])]
    ['ternary', 'int4', 'int8', None]
    """
    low, high = int(levels.min()), int(levels.max())
    return next((kind for kind in INTEGER_KINDS if WEIGHT_KINDS[kind].holds(low, high)), None)


def common_kind(matrices: Sequence[tuple[str, Matrix]], asked: WeightKind | None = None) -> tuple[WeightKind, str]:
    """The kind for a whole model, and a sentence on why.

    Args:
        matrices: each with how messages name it.
        asked: the user's choice, None for the narrowest.

    Raises:
        UnsupportedError: the kind asked for does not hold a matrix.
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
                f"{item[0]}: {_span(item[1])}; {WIDEST.low}..{WIDEST.high} are held: scale its codebook down"
            )
        if INTEGER_KINDS.index(kind) > INTEGER_KINDS.index(widest):
            widest, cause = kind, item
    where, matrix = cause
    span = f"{where} has {_span(matrix)}"
    if asked is None:
        others = sum(narrowest(other.levels) != widest for _, other in matrices)
        rest = f"; {others} of {len(matrices)} matrices would fit a narrower kind" if others else ""
        return widest, f"weights are {widest}, the narrowest kind that holds all: {span}{rest}"
    if asked not in INTEGER_KINDS or INTEGER_KINDS.index(asked) < INTEGER_KINDS.index(widest):
        raise UnsupportedError(
            f"hls_config['Model']['WeightCode'] is {asked!r}, but {span}, which takes {widest}: leave 'WeightCode' "
            f"out, or choose {widest!r} or a wider kind"
        )
    return asked, f"weights are {asked} as asked for; {widest} holds all"


def as_kind(matrix: Matrix, kind: WeightKind) -> Matrix:
    """The same weights stored as another kind; a codebook becomes the levels that it lists."""
    if matrix.kind == kind:
        return matrix
    return replace(matrix, codes=matrix.levels, kind=kind, codebook=None)


def _span(matrix: Matrix) -> str:
    return f"levels {matrix.levels.min()}..{matrix.levels.max()}"
