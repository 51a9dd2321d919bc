# SPDX-License-Identifier: Apache-2.0
"""Power: means of the sensors' values, or a sentence that says why there are none."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ese_host.device import power
from ese_host.device.power import Meter


class Rail:
    """A power rail like pynq's: with a sensor if there are values, without one otherwise."""

    def __init__(self, *values: float | Exception) -> None:
        self.values = list(values)
        self.power = self if values else None

    @property
    def value(self) -> float:
        value = self.values.pop(0) if len(self.values) > 1 else self.values[0]
        if isinstance(value, Exception):
            raise value
        return value


def measure(board: str, rails: dict[str, Any], seconds: float = 0.1) -> power.Power:
    with Meter(board, here=True, rails=lambda: rails) as meter:
        time.sleep(seconds)
    return meter.power


def test_means_and_the_rail_that_feeds_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, "INTERVAL", 0.001)
    found = measure("zcu104", {"12V": Rail(10.0, 14.0, 12.0), "1V8": Rail(0.5), "3V3": Rail()})
    assert found.total == "12V" and found.samples > 3 and not found.note
    assert found.watts["1V8"] == 0.5 and found.watts["12V"] == pytest.approx(12.0)
    assert set(found.watts) == {"12V", "1V8"}


def test_a_board_without_sensors_says_so() -> None:
    assert measure("pynq-z2", {}).note == "pynq-z2 has no power sensor that pynq can read"
    assert measure("pynq-z2", {"5V": Rail()}, 0).to_json()["watts"] == {}


def test_elsewhere_nothing_is_asked() -> None:
    def rails() -> dict[str, Any]:
        raise AssertionError("the rails of another machine were asked for")

    with Meter("zcu104", here=False, rails=rails) as meter:
        pass
    assert meter.power.note.startswith("emulated or remote")


def test_a_failing_sensor_gives_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, "INTERVAL", 0.001)
    found = measure("zcu104", {"12V": Rail(10.0, 10.0, OSError("I2C"))})
    assert (found.watts, found.samples, found.note) == ({}, 0, "a power sensor failed (I2C)")


def test_no_sensors_library() -> None:
    def rails() -> dict[str, Any]:
        raise OSError("libsensors.so")

    with Meter("zcu104", here=True, rails=rails) as meter:
        pass
    assert meter.power.note == "pynq cannot read power sensors here (libsensors.so)"
