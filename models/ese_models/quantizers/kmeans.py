"""K-means on numbers: Lloyd's iteration on sorted values, where a cluster is a range (Deep Compression, section 3).

One iteration costs as many binary searches as there are clusters, whatever the number of values. scikit-learn's KMeans
measures every value against every centroid; from the same start both end in the same place (tests).
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
    """(count,) ascending initial centroids of ascending values.

    Args:
        ordered: (n,) ascending values, at least one.
        count: centroids.
        start: evenly spaced between the extremes (linear), evenly spaced in the distribution function (density), or a
            random choice of values (random; with replacement where there are fewer values).
        seed: of the random choice.

    Raises:
        UnsupportedError: there is no such start.
    """
    if start == "linear":
        spaced: Doubles = np.linspace(ordered[0], ordered[-1], count)
        return spaced
    if start == "density":
        where = (np.arange(count) + 0.5) / count * len(ordered)
        evenly: Doubles = ordered[where.astype(np.int64)]
        return evenly
    if start == "random":
        chosen = np.random.default_rng(seed).choice(ordered, count, replace=count > len(ordered))
        return np.sort(chosen)
    raise UnsupportedError(f"centroids start is {start!r}; allowed: {', '.join(STARTS)}")


def cluster(
    values: npt.NDArray[np.floating[Any]], count: int, start: Start = "linear", seed: int = 0, iterations: int = 300
) -> tuple[Doubles, Indices]:
    """Centroids and the cluster of each value.

    A cluster that is left without values moves to a value farthest from its centroid, as scikit-learn does it: the gap
    that pruning leaves around zero would otherwise waste what starts there.

    Args:
        values: (n,) finite numbers, at least one.
        count: clusters.
        start: how the centroids begin, see `starts`.
        seed: of the random start.
        iterations: of Lloyd's at most; it ends where no value changes its cluster.

    Returns:
        (count,) ascending centroids and (n,) indices of the nearest; of two equally near ones the upper.

    Raises:
        FormatError: there is no value, or one is not finite. UnsupportedError: count or start is not allowed.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not array.size or not np.isfinite(array).all():
        raise FormatError(f"k-means needs finite values; shape {array.shape}, {np.isfinite(array).sum()} finite")
    if count < 1:
        raise UnsupportedError(f"{count} clusters; one or more are allowed")
    ordered = np.sort(array)
    sums = np.concatenate(([0.0], np.cumsum(ordered)))
    centroids = starts(ordered, count, start, seed)
    edges = np.zeros(0, dtype=np.int64)
    for _ in range(iterations):
        found = np.searchsorted(ordered, (centroids[1:] + centroids[:-1]) / 2)
        if np.array_equal(found, edges) and len(edges):
            break
        edges = found
        limits = np.concatenate(([0], edges, [len(ordered)]))
        sizes, totals = np.diff(limits), np.diff(sums[limits])
        if not sizes.all():
            sizes, totals = _relocated(ordered, centroids, sizes, totals)
        centroids = np.sort(np.where(sizes > 0, totals / np.maximum(sizes, 1), centroids))
        if count == 1:
            break
    return centroids, np.searchsorted((centroids[1:] + centroids[:-1]) / 2, array, side="right")


def _relocated(ordered: Doubles, centroids: Doubles, sizes: Indices, totals: Doubles) -> tuple[Indices, Doubles]:
    """Sizes and sums of the clusters, the empty ones given the distinct values farthest from their centroids."""
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
