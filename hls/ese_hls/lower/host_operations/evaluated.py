# SPDX-License-Identifier: Apache-2.0
"""Functions that the converter knows only by calling them: tables of their values, and functions of a few levels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ese_hls.quantize import Doubles, evaluate
from ese_host.errors import UnsupportedError
from ese_host.ir import Codes

Singles = npt.NDArray[np.float32]
MAX_LEVELS = 512
"""Most changes of a function that still counts as one of levels."""
NOISE = 2.0**-20
"""Largest relative difference that two ways to compute the same float32 function may have."""
STRAIGHT_THROUGH = 2.0**-22
"""Largest error of QKeras's form x + (q - x), relative to the larger of x and q."""
LEVEL_BITS = 40
"""Most bits of a level's code."""


def values_of(function: Any, x: Singles, where: str) -> Doubles:
    """The values of a function of one element, as Keras computes them.

    Args:
        function: a Keras layer, function or quantizer.
        x: (count,) elements.
        where: names the function in messages.

    Raises:
        UnsupportedError: if a value is not finite, and the errors of `_element_wise`.
    """
    values = _element_wise(function, x, where)
    if not np.isfinite(values).all():
        at = int(np.flatnonzero(~np.isfinite(values))[0])
        raise UnsupportedError(
            f"{where} gives {values[at]} for {x[at]}, a value that may arrive; only finite values are allowed: put a "
            "QActivation('quantized_bits(...)') of a smaller range before it"
        )
    return values


def _element_wise(function: Any, x: Singles, where: str) -> Doubles:
    """The values of a function, which is called on the elements in several orders and shapes.

    Raises:
        UnsupportedError: if the function cannot be called so, or its values depend on other elements or on chance.
    """
    count, order = len(x), np.random.default_rng(0).permutation(len(x))
    half = np.where(np.arange(count) < count // 2, x, x[0])
    try:
        row, column, shuffled, again, part = (
            evaluate(function, given.astype(np.float32))
            for given in (x[None, :], x[:, None], x[order][None, :], x[None, :], half[None, :])
        )
    except Exception as error:  # a function of a model may raise anything
        raise UnsupportedError(
            f"{where} cannot be called on single values ({type(error).__name__}: {str(error)[:100]}); only functions "
            "that compute each element by itself are allowed: use one of them, or leave the layer out"
        ) from error
    restored = np.empty_like(shuffled)
    alike = row.shape == shuffled.shape == (1, count) and column.shape == (count, 1)
    if alike:
        restored[:, order] = shuffled
        alike = all(_same(row, other) for other in (column.T, restored, again))
        alike = alike and _same(row[:, : count // 2], part[:, : count // 2])
    if not alike:
        raise UnsupportedError(
            f"{where} computes an element's value from other elements or by chance; only functions that compute each "
            "element by itself are allowed: use one of them, or leave the layer out"
        )
    values: Doubles = row[0]
    return values


def _same(one: Doubles, other: Doubles) -> bool:
    return bool(np.allclose(one, other, rtol=NOISE, atol=NOISE * 2.0**-20, equal_nan=True))


def levels_of(function: Any, where: str) -> tuple[Singles, Codes, int] | None:
    """A function that has few values, such as a sign: where it changes, and its values.

    Values that differ only by the rounding of QKeras's form x + (q - x) count as one.

    Args:
        function: a Keras layer, function or quantizer.
        where: names the function in messages.

    Returns:
        The smallest float32 of each piece but the first, in ascending order; the codes of the values of all pieces; and
        their fractional bits. None if the function has too many values, or values that are no short codes.

    Raises:
        UnsupportedError: the errors of `_element_wise`.
    """
    positive = np.union1d(2.0 ** np.arange(-40, 20, 1 / 64), np.arange(1, 1 << 14) / 1024)
    places = _order(np.concatenate([-positive[::-1], [0], positive]).astype(np.float32))
    values = _element_wise(function, _singles(places), where)
    if not np.isfinite(values).all() or len(_changes(places, values)) > MAX_LEVELS:
        return None
    while True:  # each round finds one change between two places, until no two places have another one between them
        before = _changes(places, values)
        low, high, value = places[before], places[before + 1], values[before]
        while (high - low > 1).any():
            middle = (low + high) // 2
            found = evaluate(function, _singles(middle)[None, :])[0]
            same = np.abs(found - value) <= _noise(middle, found)
            low, high = np.where(same, middle, low), np.where(same, high, middle)
        places = np.unique(np.concatenate([places, low, high]))
        values = evaluate(function, _singles(places)[None, :])[0]
        changes = _changes(places, values)
        if len(changes) > MAX_LEVELS:
            return None
        if (places[changes + 1] - places[changes] == 1).all():
            break
    pieces = np.split(np.arange(len(places)), changes + 1)
    exact = [piece[np.abs(places[piece]).argmin()] for piece in pieces]  # x of the smallest magnitude rounds least
    levels = np.array([values[at] for at in exact])
    step = 2.0 ** np.ceil(np.log2(np.maximum(_noise(places[exact], levels), 2.0**-99)))
    levels = np.rint(levels / step) * step
    frac = next((frac for frac in range(64) if (np.ldexp(levels, frac) % 1 == 0).all()), None)
    if frac is None or np.abs(np.ldexp(levels, frac)).max() >= 1 << LEVEL_BITS:
        return None
    return _singles(places[changes + 1]), np.ldexp(levels, frac).astype(np.int64), frac


def _changes(places: Codes, values: Doubles) -> Codes:
    """Indices of the places behind which a function changes by more than rounding."""
    noise = _noise(places, values)
    return np.flatnonzero(np.abs(np.diff(values)) > np.maximum(noise[1:], noise[:-1]))


def _noise(places: Codes, values: Doubles) -> Doubles:
    """The largest error of the form x + (q - x) in float32."""
    return np.maximum(np.abs(_singles(places).astype(np.float64)), np.abs(values)) * STRAIGHT_THROUGH


def _order(values: Singles) -> Codes:
    """Integers in the order of float32 values, which follow each other as the values do; 0 for zero."""
    bits = values.view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def _singles(order: Codes) -> Singles:
    """Inverse of `_order`."""
    bits = np.where(order < 0, 0x80000000 | -order, order)
    return bits.astype(np.uint32).view(np.float32)
