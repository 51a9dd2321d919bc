# SPDX-License-Identifier: Apache-2.0
"""The heaviest chain of exactly k positions with bounded steps, by Lagrangian relaxation of k ("Aliens trick").

For a price p on every element, one pass with a sliding-window maximum finds the chain with the largest value,
weight - p * length. A binary search over the price stops when k lies between the lengths of the shortest and the
longest chain of that value; crossing these two chains gives a chain of length k. If the last element is fixed, the best
weight is concave in k (the cost is Monge), so that the result is exact. If the end is free, the result is exact when
the crossed chain reaches the dual bound. Otherwise last elements are tried in the order of the dual bounds that the
sweeps have found for them, until no bound exceeds the best chain. All arithmetic is on integers, so that ties are exact
and results deterministic.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


@numba.njit(cache=True)  # type: ignore[untyped-decorator,unused-ignore]
def _sweep(
    weight: Ints, position: Ints, step: int, price: int, prefer_long: bool, best: Ints, length: Ints, parent: Ints
) -> None:
    """Fill best[j], length[j] and parent[j] for the best chain that ends at element j; length 0 if no chain does."""
    count = len(weight)
    window = np.empty(count + 1, dtype=np.int64)
    head, tail = 0, 1
    window[0] = -1
    for j in range(count):
        while head < tail and position[j] - (position[window[head]] if window[head] >= 0 else -1) > step:
            head += 1
        if head == tail:
            length[j] = 0
            parent[j] = -2
            continue
        before = window[head]
        best[j] = weight[j] - price + (best[before] if before >= 0 else 0)
        length[j] = 1 + (length[before] if before >= 0 else 0)
        parent[j] = before
        while head < tail:
            last = window[tail - 1]
            value = best[last] if last >= 0 else 0
            size = length[last] if last >= 0 else 0
            if value > best[j] or (value == best[j] and (size > length[j] if prefer_long else size < length[j])):
                break
            tail -= 1
        window[tail] = j
        tail += 1


@numba.njit(cache=True)  # type: ignore[untyped-decorator,unused-ignore]
def _free_end(best: Ints, length: Ints, prefer_long: bool) -> int:
    """Last element of the best chain; -1 for the empty chain."""
    end, value, size = -1, 0, 0
    for j in range(len(best)):
        if length[j] == 0:
            continue
        if best[j] > value or (best[j] == value and (length[j] > size if prefer_long else length[j] < size)):
            end, value, size = j, best[j], length[j]
    return end


@numba.njit(cache=True)  # type: ignore[untyped-decorator,unused-ignore]
def _walk(parent: Ints, length: Ints, end: int) -> Ints:
    """Elements of the chain that ends at `end`, in ascending order."""
    size = length[end] if end >= 0 else 0
    chain = np.empty(size, dtype=np.int64)
    for i in range(size - 1, -1, -1):
        chain[i] = end
        end = parent[end]
    return chain


@numba.njit(cache=True)  # type: ignore[untyped-decorator,unused-ignore]
def _cross(short: Ints, long: Ints, count: int) -> Ints:
    """A chain of `count` elements that follows `long` first and `short` then; len(short) <= count <= len(long)."""
    lead = count - len(short)
    if lead == 0:
        return short
    for t in range(len(short) + 1):
        if t + lead >= len(long) or t == len(short) or long[t + lead] <= short[t]:
            return np.concatenate((long[: t + lead], short[t:]))
    return short


@numba.njit(cache=True)  # type: ignore[untyped-decorator,unused-ignore]
def _search(
    weight: Ints, position: Ints, count: int, step: int, end: int, low: int, high: int, bound: Ints
) -> tuple[Ints, int, int]:
    """Search the price, between `low` and `high`, at which a best chain has `count` elements.

    A low price gives chains longer than `count`, a high price shorter ones. The chain ends at element `end`, or
    anywhere if `end` is -1. Every sweep may lower bound[e], the dual bound on the weight of a chain of `count` elements
    that ends at element e.

    Returns:
        The chain (empty if there is none of this length), the price, and the best value at that price.
    """
    best = np.empty(len(weight), dtype=np.int64)
    length, parent = best.copy(), best.copy()
    free = end < 0
    while low < high:
        middle = (low + high) >> 1
        _sweep(weight, position, step, middle, False, best, length, parent)
        for j in range(len(weight)):
            bound[j] = min(bound[j], best[j] + middle * count if length[j] > 0 else -1)
        last = _free_end(best, length, False) if free else end
        if (length[last] if last >= 0 else 0) <= count:
            high = middle
        else:
            low = middle + 1
    _sweep(weight, position, step, high, False, best, length, parent)
    last = _free_end(best, length, False) if free else end
    short = _walk(parent, length, last)
    _sweep(weight, position, step, high, True, best, length, parent)
    last = _free_end(best, length, True) if free else end
    long = _walk(parent, length, last)
    value = best[last] if last >= 0 else 0
    if len(short) > count or len(long) < count or len(long) == 0:
        return np.empty(0, dtype=np.int64), high, value
    return _cross(short, long, count), high, value


@numba.njit(cache=True)  # type: ignore[untyped-decorator,unused-ignore]
def _best(weight: Ints, position: Ints, count: int, step: int) -> Ints:
    """The compiled part of `best_chain`."""
    limit = (weight.max() + 1) * (len(weight) + 1)
    bound = np.full(len(weight), np.iinfo(np.int64).max)
    chain: Ints
    trial: Ints
    chain, price, value = _search(weight, position, count, step, -1, -1, weight.max() + 1, bound)
    heaviest = -1
    if len(chain) == count:
        steps_hold = position[chain[0]] + 1 <= step
        for i in range(1, count):
            steps_hold = steps_hold and position[chain[i]] - position[chain[i - 1]] <= step
        if steps_hold:
            heaviest = weight[chain].sum()
            if heaviest - price * count == value:
                return chain
    if heaviest < 0:
        chain = np.arange(count)
        heaviest = weight[chain].sum()
    bound[: count - 1] = -1
    while True:
        end = np.argmax(bound)
        if bound[end] <= heaviest:
            return chain
        trial, _, _ = _search(weight, position, count, step, end, -limit, limit, bound)
        bound[end] = -1
        if len(trial) == count and weight[trial].sum() > heaviest:
            chain = trial
            heaviest = weight[trial].sum()


def best_chain(weight: Ints, position: Ints, count: int, step: int) -> Ints:
    """The heaviest chain of exactly `count` elements whose successive positions are at most `step` apart.

    The first position of a chain is measured from position -1.

    Args:
        weight: (n,) non-negative integers, at most 2**(60 - 2 * b), where b is the number of bits of n.
        position: (n,) ascending. The first `count` positions must themselves be a valid chain.
        count: elements of the chain, 1 to n.
        step: largest distance between successive positions.

    Returns:
        (count,) ascending indices into `weight`.
    """
    chain: Ints = _best(weight, position, count, step)
    return chain
