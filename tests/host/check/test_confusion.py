# SPDX-License-Identifier: Apache-2.0
"""Accuracy by class: counts by label and class, the confidence interval, and what the page shows of many classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_design import OUTPUTS

from ese_host.check import check, report
from ese_host.check.confusion import Confusion, interval


def counted(labels: list[int], classes: list[int], names: list[str] | None = None) -> list[dict[str, Any]]:
    """The rows of samples that were added in two parts."""
    confusion = Confusion(names)
    for part in (slice(0, 2), slice(2, None)):
        confusion.add(np.array(labels[part], np.int64), np.array(classes[part], np.int64))
    return confusion.to_json()


def test_samples_are_counted_by_label_and_class() -> None:
    assert counted([0, 0, 0, 2, 1], [0, 1, 1, 0, 1], ["no", "yes"]) == [
        {"class": 0, "name": "no", "samples": 3, "right": 1, "taken_for": {"1": 2}},
        {"class": 1, "name": "yes", "samples": 1, "right": 1, "taken_for": {}},
        {"class": 2, "name": "2", "samples": 1, "right": 0, "taken_for": {"0": 1}},
    ]


def test_labels_that_no_class_has_take_no_more_memory_than_others() -> None:
    low, high = -(1 << 62), 1 << 62
    rows = counted([low, high, 0], [0, 0, 0], ["only"])
    assert [(row["class"], row["name"], row["samples"], row["right"]) for row in rows] == [
        (low, str(low), 1, 0), (0, "only", 1, 1), (high, str(high), 1, 0)
    ]  # fmt: skip


def test_a_class_that_is_no_label_is_shown_too() -> None:
    assert counted([0, 0, 0], [0, 0, 5])[1] == {"class": 5, "name": "5", "samples": 0, "right": 0, "taken_for": {}}


@pytest.mark.parametrize("right", [0, 1, 17, 49, 50])
def test_the_interval_is_where_the_accuracy_would_not_surprise(right: int) -> None:
    """Its ends are the shares p with (right / n - p)**2 == z**2 p (1 - p) / n, Wilson's definition."""
    samples, z = 50, 1.959964
    low, high = interval(right, samples)
    assert 0 <= low <= right / samples <= high <= 1
    for end in (low, high):
        off = (right / samples - end) ** 2 - z**2 * end * (1 - end) / samples
        assert off == pytest.approx(0, abs=1e-12)


def test_the_report_has_the_classes_of_each_label(folder: Path) -> None:
    (output,) = check(folder, driver="adapter")["outputs"]
    assert output["accuracy"] == 0.9 and output["accuracy_interval"] == interval(36, 40)
    assert sum(row["samples"] for row in output["classes"]) == 40 and len(output["classes"]) == OUTPUTS
    assert sum(row["right"] for row in output["classes"]) == 36
    wrong = {(row["class"], int(told)): n for row in output["classes"] for told, n in row["taken_for"].items()}
    assert sum(wrong.values()) == 4 and all(label == (told + 1) % OUTPUTS for label, told in wrong)


def test_of_many_classes_the_page_lists_the_worst(folder: Path) -> None:
    found = check(folder, driver="adapter")
    found["outputs"][0]["classes"] = [
        {"class": n, "name": f"class-{n:02}", "samples": 100, "right": 100 - n, "taken_for": {"0": n} if n else {}}
        for n in range(30)
    ]
    page = report.html(found)
    assert "The 12 least accurate of 30 classes" in page and 'class="confusion"' not in page
    shown = [n for n in range(30) if f'<th scope="row">class-{n:02}</th>' in page]
    assert shown == list(range(18, 30)) and "class-00 (29)" in page
