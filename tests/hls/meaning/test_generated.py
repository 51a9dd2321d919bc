# SPDX-License-Identifier: Apache-2.0
"""Generated models: each converts to what Keras computes, within what its formats explain, or is refused by name."""

from __future__ import annotations

import warnings
from collections import Counter
from random import Random
from typing import Any

import numpy as np
import pytest
from generated_models import ROUNDED, model_of
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from ese_host.errors import CapacityError, FormatError, UnsupportedError
from support.keras_models.plugin_models import convert, golden_values

FAMILIES = ("quantized", "quantized", "float", "odd")
SAMPLES = 12
FLOAT32 = 2.0**-16
"""What the rounding of Keras's own sums may cost where nothing rounds them further, relative to 1 plus the largest."""


def outcome(seed: int) -> str:
    """Convert and compare the model of a seed: "exact", "bounded" or "refused".

    Raises:
        AssertionError: if the values differ by more than the formats explain.
    """
    rng = Random(seed)  # noqa: S311 - a test, no secret
    family = rng.choice(FAMILIES)
    model, bound = model_of(rng, family)
    x = np.random.default_rng(seed).integers(-192, 193, (SAMPLES, *model.inputs[0].shape[1:])) / 64
    x[0] *= 0.125
    x = x.astype(np.float32)
    expected = np.asarray(model(x, training=False), np.float64)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            conversion = convert(model).ese_conversion
            found = golden_values(conversion, [x])[0]
    except (UnsupportedError, CapacityError) as error:
        note(str(error))
        return "refused"
    except FormatError as error:  # no sample of Masking may consist of masked steps only
        assert "has only masked steps" in str(error), error
        return "refused"
    difference = np.abs(found - expected)
    if not conversion.summary.exact:  # say scales of powers of two that are too far apart for 16 bits
        bound = max(bound, ROUNDED)
    allowed = max(bound, FLOAT32) * (1 + np.abs(expected).max())
    assert (difference <= allowed).all(), (family, difference.max(), conversion.summary.notes)
    return "bounded" if bound else "exact"


def check(seed: int, outcomes: Counter[str]) -> None:
    """Note the outcome of a seed."""
    outcomes[outcome(seed)] += 1


def run(count: int, first: int) -> Counter[str]:
    """The outcomes of generated models; hypothesis shows the seed of one that fails."""
    outcomes: Counter[str] = Counter()
    options: dict[str, Any] = {"phases": (Phase.generate,), "suppress_health_check": list(HealthCheck)}
    seeds = st.integers(first, first + (1 << 24))
    settings(max_examples=count, **options)(given(seeds)(lambda seed: check(seed, outcomes)))()
    return outcomes


def test_twenty_models() -> None:
    outcomes = run(20, 0)
    assert outcomes["exact"] + outcomes["bounded"] >= 12, outcomes


@pytest.mark.slow
def test_four_hundred_models() -> None:
    outcomes = run(400, 1 << 25)
    assert outcomes["exact"] >= 180 and outcomes["bounded"] >= 70, outcomes
