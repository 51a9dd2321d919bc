# SPDX-License-Identifier: Apache-2.0
"""One-dimensional k-means by Lloyd's iteration (weight sharing of Deep Compression, 1510.00149, section 3).

The values are sorted once, so that a cluster is a range of them and one iteration costs one binary search per cluster.
scikit-learn's KMeans compares every value with every centroid; from the same start both give the same centroids, as
tests/models/quantizers/test_kmeans.py shows.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError, UnsupportedError

Start = Literal["linear", "density", "random"]
STARTS: tuple[Start, ...] = get_args(Start)
Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


def starts(ordered: Doubles, count: int, start: Start, seed: int = 0) -> Doubles:
    """Initial centroids, by one of the three methods of Deep Compression (1510.00149, section 3).

    Args:
        ordered: (n,) ascending values, at least one.
        count: number of centroids.
        start: "linear" spaces them evenly between the smallest and the largest value, "density" evenly in the
            cumulative distribution of the values, "random" draws values (with replacement if there are fewer than
            `count`).
        seed: of the random draw.

    Returns:
        (count,) ascending centroids.

    Raises:
        UnsupportedError: if there is no such start.
    """
    if start == "linear":
        spaced: Doubles = np.linspace(ordered[0], ordered[-1], count)
        return spaced
    if start == "density":
        ranks = (np.arange(count) + 0.5) / count * len(ordered)
        quantiles: Doubles = ordered[ranks.astype(np.int64)]
        return quantiles
    if start == "random":
        chosen = np.random.default_rng(seed).choice(ordered, count, replace=count > len(ordered))
        return np.sort(chosen)
    raise UnsupportedError(f"start of the centroids is {start!r}; allowed: {', '.join(STARTS)}")


def cluster(
    values: npt.NDArray[np.floating[Any]], count: int, start: Start = "linear", seed: int = 0, iterations: int = 300
) -> tuple[Doubles, Indices]:
    """Cluster numbers by k-means, the sum of squared distances to the centroids being the cost.

    A cluster that loses all its values moves to the value that is farthest from its centroid, as in scikit-learn.
    Otherwise centroids that start in the gap that pruning leaves around zero would be wasted.

    Args:
        values: (n,) finite numbers, at least one.
        count: number of clusters.
        start: initial centroids: "linear", "density" or "random"; see `starts`.
        seed: of the random start.
        iterations: largest number of iterations; they end earlier if no value changes its cluster.

    Returns:
        (count,) ascending centroids, and (n,) index of the nearest centroid of each value; the upper one if two are
        equally near.

    Raises:
        FormatError: if there is no value, or one is not finite.
        UnsupportedError: if `count` is below 1 or there is no such start.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not array.size or not np.isfinite(array).all():
        raise FormatError(
            f"k-means needs (n,) finite values; got shape {array.shape}, of which {np.isfinite(array).sum()} are finite"
        )
    if count < 1:
        raise UnsupportedError(f"k-means has {count} clusters; 1 or more are allowed")
    ordered = np.sort(array)
    sums = np.concatenate(([0.0], np.cumsum(ordered)))
    centroids = starts(ordered, count, start, seed)
    edges = np.zeros(0, dtype=np.int64)
    for _ in range(iterations):
        new_edges = np.searchsorted(ordered, (centroids[1:] + centroids[:-1]) / 2)
        if np.array_equal(new_edges, edges) and len(edges):
            break
        edges = new_edges
        limits = np.concatenate(([0], edges, [len(ordered)]))
        sizes, totals = np.diff(limits), np.diff(sums[limits])
        if not sizes.all():
            sizes, totals = _relocated(ordered, centroids, sizes, totals)
        centroids = np.sort(np.where(sizes > 0, totals / np.maximum(sizes, 1), centroids))
        if count == 1:
            break
    return centroids, np.searchsorted((centroids[1:] + centroids[:-1]) / 2, array, side="right")


def _relocated(ordered: Doubles, centroids: Doubles, sizes: Indices, totals: Doubles) -> tuple[Indices, Doubles]:
    """Sizes and sums of the clusters after each empty one has taken one of the values farthest from their centroids."""
    owner = np.repeat(np.arange(len(sizes)), sizes)
    first = np.unique(ordered, return_index=True)[1]
    distance = np.abs(ordered - centroids[owner])[first]
    farthest = first[np.argsort(-distance, kind="stable")]
    sizes, totals = sizes.copy(), totals.copy()
    for empty, value in zip(np.flatnonzero(sizes == 0), farthest[: np.count_nonzero(distance)], strict=False):
        if sizes[owner[value]] > 1:
            sizes[[empty, owner[value]]] += (1, -1)
            totals[[empty, owner[value]]] += (ordered[value], -ordered[value])
    return sizes, totals
