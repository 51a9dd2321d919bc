# SPDX-License-Identifier: Apache-2.0
"""Calibration chooses the fewest integer bits that clip no more than the allowed share; they are applied and saved."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qkeras import quantized_bits, quantized_relu

from ese_host.errors import FormatError, UnsupportedError
from ese_models.networks.builder import Formats, Topology, classifier, network
from ese_models.networks.inspection import load
from ese_models.training.calibrate import Calibration, calibrate, clipped, format_with

Calibrated = tuple[Any, Calibration]

INPUTS = np.random.default_rng(0).normal(scale=3, size=(20, 5, 4)).astype(np.float32)


def model() -> Any:
    """A network whose input and state formats have too few integer bits, and its bias format too many."""
    keras.utils.set_random_seed(1)
    made = classifier(units=6, outputs=3, steps=5, features=4, formats=Formats((12, 0), (10, 0), (16, 9)))
    cell = made.get_layer("lstm").cell
    cell.kernel.assign(4 * np.asarray(cell.kernel))
    cell.bias.assign(np.linspace(-3, 3, 24))
    return made


@pytest.fixture(scope="module")
def calibrated() -> Calibrated:
    made = model()
    before = made.predict(INPUTS, verbose=0)
    found = calibrate(made, INPUTS, batch=8)
    assert (made.predict(INPUTS, verbose=0) == before).all()  # as it was
    return made, found


def test_the_fewest_integer_bits_that_clip_nothing(calibrated: Calibrated) -> None:
    _, found = calibrated
    ranges = {item.tensor: item for item in found.ranges}
    assert list(ranges) == [
        "source", "lstm: bias", "lstm: h", "lstm: c",
        "lstm: sum of i", "lstm: sum of f", "lstm: sum of o", "lstm: sum of g", "lstm: c before tanh",
    ]  # fmt: skip
    source, bias, h, c = (ranges[name] for name in ("source", "lstm: bias", "lstm: h", "lstm: c"))
    assert (source.low, source.high) == (INPUTS.min(), INPUTS.max())
    assert np.allclose(source.percentiles, np.percentile(INPUTS, (0.1, 50, 99.9)))
    assert (source.before, source.integer) == (0, int(np.ceil(np.log2(np.abs(INPUTS).max()))))
    assert source.clipped == 0 < source.clipped_before and clipped(
        INPUTS.ravel(), format_with(quantized_bits(12, 0), 0)
    )
    assert (bias.low, bias.high, bias.before, bias.integer) == (-3, 3, 9, 2)
    assert -1 <= h.low < h.high <= 1 < c.high and h.integer == c.integer > 0 and c.clipped == 0
    # The stored c that a step reads is the c before tanh of the step before.
    inner = ranges["lstm: c before tanh"]
    assert inner.low <= c.low and c.high <= inner.high and (inner.bits, inner.clipped) == (0, 0)
    assert len(str(found).splitlines()) == 2 + len(ranges) and found.to_json()[0]["tensor"] == "source"


def test_the_tensors_of_a_gru_are_measured() -> None:
    made = network(Topology(gru=(6,)), features=4, outputs=3, steps=5, formats=Formats(state=(10, 6)))
    ranges = {item.tensor: item for item in calibrate(made, INPUTS).ranges}
    assert list(ranges) == [
        "source", "gru: bias", "gru: h", "gru: sum of z", "gru: sum of r", "gru: sum of the candidate",
    ]  # fmt: skip
    kept = ranges["gru: h"]
    assert -1 <= kept.low < 0 < kept.high <= 1 and (kept.before, kept.integer) == (6, 0)


def test_what_is_chosen_is_applied_and_saved(calibrated: Calibrated, tmp_path: Path) -> None:
    made, found = calibrated
    before = made.predict(INPUTS, verbose=0)
    found.apply(made)
    after = made.predict(INPUTS, verbose=0)
    assert (after != before).any()
    made.save(tmp_path / "model.keras")
    again = load(tmp_path / "model.keras")
    assert (again.predict(INPUTS, verbose=0) == after).all()
    second = calibrate(again, INPUTS)
    assert all(item.before == item.integer and item.clipped_before == 0 for item in second.ranges)


def test_a_share_may_be_clipped() -> None:
    made = model()
    none, some = (calibrate(made, INPUTS, share).ranges[0] for share in (0.0, 0.3))
    assert some.integer < none.integer and 0 < some.clipped <= 0.3


@given(st.integers(2, 16), st.integers(0, 6), st.booleans(), st.lists(st.floats(-40, 40, width=32), min_size=1))
def test_clipped_counts_what_a_quantizer_changes_by_more_than_rounding(
    bits: int, integer: int, relu: bool, values: list[float]
) -> None:
    array = np.array(values, dtype=np.float32)
    quantizer = quantized_relu(bits, integer) if relu else quantized_bits(bits, integer, alpha=1)
    form = format_with(quantizer, integer)
    found = keras.ops.convert_to_numpy(quantizer(array))
    near = np.abs(found - array) <= 2.0**-form.frac / 2
    near |= relu & (array < 0)
    beyond = (array > form.to_float(form.high) + 2.0**-form.frac) | (array < form.to_float(form.low) - 2.0**-form.frac)
    beyond &= ~(relu & (array < 0))
    assert beyond.mean() <= clipped(array, form) <= (~near).mean() + np.finfo(float).eps


def test_unsound_requests_are_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"^share of clipped values is 1; 0 or more, below 1 is allowed$"):
        calibrate(model(), INPUTS, 1)
    with pytest.raises(FormatError, match=r"^inputs have shape \(0, 5, 4\); at least one sample of finite values is"):
        calibrate(model(), INPUTS[:0])
