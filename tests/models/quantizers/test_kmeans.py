# SPDX-License-Identifier: Apache-2.0
"""One-dimensional k-means gives the centroids of scikit-learn's KMeans from the same start."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ese_host.errors import FormatError, UnsupportedError
from ese_models.quantizers.kmeans import STARTS, Start, cluster, starts

VALUES = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=60)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("count", [3, 15, 63])
def test_the_same_clusters_as_scikit_learn(start: Start, count: int) -> None:
    from sklearn.cluster import KMeans

    values = np.random.default_rng(count).standard_t(3, 4000)
    values = values[np.abs(values) > 1]  # the gap around zero that pruning leaves
    first = starts(np.sort(values), count, start, 1)
    theirs = KMeans(count, init=first[:, None], n_init=1, algorithm="lloyd", tol=0).fit(values[:, None])
    centroids, index = cluster(values, count, start, 1)
    np.testing.assert_allclose(centroids, np.sort(theirs.cluster_centers_[:, 0]), rtol=0, atol=1e-9)
    assert ((values - centroids[index]) ** 2).sum() == pytest.approx(theirs.inertia_, rel=1e-9)


@given(VALUES, st.integers(1, 20), st.sampled_from(STARTS))
@settings(deadline=None)
def test_every_value_has_its_nearest_centroid_and_few_values_are_kept_as_they_are(
    values: list[float], count: int, start: Start
) -> None:
    array = np.array(values)
    centroids, index = cluster(array, count, start)
    distance = np.abs(array[:, None] - centroids)
    assert (np.diff(centroids) >= 0).all() and centroids.shape == (count,)
    chosen = distance[np.arange(len(array)), index]
    assert (chosen <= distance.min(axis=1) + 1e-12).all()
    if len(np.unique(array)) <= count and start != "random":
        np.testing.assert_allclose(centroids[index], array, rtol=0, atol=1e-9)


def test_starts_are_those_of_the_paper() -> None:
    ordered = np.array([0.0, 1.0, 2.0, 3.0, 10.0, 20.0])
    assert starts(ordered, 3, "linear").tolist() == [0, 10, 20]
    assert starts(ordered, 3, "density").tolist() == [1, 3, 20]
    drawn = starts(ordered, 3, "random", 7)
    assert set(drawn) <= set(ordered) and len(set(drawn)) == 3 and (drawn == starts(ordered, 3, "random", 7)).all()


def test_unsound_requests_are_refused() -> None:
    with pytest.raises(FormatError, match=r"needs \(n,\) finite values; got shape \(2,\), of which 1 are finite$"):
        cluster(np.array([1.0, np.nan]), 2)
    with pytest.raises(UnsupportedError, match=r"^k-means has 0 clusters; 1 or more are allowed$"):
        cluster(np.array([1.0]), 0)
    with pytest.raises(UnsupportedError, match=r"^start of the centroids is 'k'; allowed: linear, density, random$"):
        cluster(np.array([1.0]), 2, "k")  # type: ignore[arg-type]
