# SPDX-License-Identifier: Apache-2.0
"""Power of a board, if the board measures it and pynq can read it (pmbus); otherwise a sentence that says why not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from ese_host.boards import load_board

INTERVAL = 0.02
"""Seconds between two samples."""


@dataclass(frozen=True)
class Power:
    """Mean power of each power rail that has a sensor.

    Attributes:
        watts: {rail: mean power in watts}.
        total: name of the rail that feeds all others, or None if no such rail is measured.
        samples: how many samples the means are taken over.
        note: why there is no figure; empty if there is one.
    """

    watts: dict[str, float]
    total: str | None
    samples: int
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values for the report of `ese4ml check`."""
        return {"watts": self.watts, "total": self.total, "samples": self.samples, "note": self.note}


class Meter:
    """Samples a board's power rails in a thread. Use it as a context manager; `power` has the means afterwards."""

    def __init__(self, board: str, *, here: bool, rails: Callable[[], dict[str, Any]] | None = None) -> None:
        """Find the sensors of a board.

        Args:
            board: the board's name.
            here: whether this process runs on that board; false in emulation and through PYNQ.remote.
            rails: function that returns the rails by name; None for pynq's `get_rails`.
        """
        self._board = load_board(board)
        self.power = Power({}, None, 0, "emulated or remote: this machine's sensors are not the board's")
        self._sensors: dict[str, Any] = {}
        self._sums: dict[str, float] = {}
        self._samples = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        if here:
            self._find(rails or _pynq_rails)

    def __enter__(self) -> Meter:
        if self._sensors:
            self._thread = threading.Thread(target=self._sample, name="ese4ml power", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is None:
            return
        self._stop.set()
        self._thread.join(1.0)
        if self._samples:
            watts = {name: total / self._samples for name, total in self._sums.items()}
            total = next((name for name in self._board.power_rails if name in watts), None)
            self.power = Power(watts, total, self._samples)

    def _find(self, rails: Callable[[], dict[str, Any]]) -> None:
        try:
            rails_by_name = rails()
        except (ImportError, OSError, RuntimeError) as error:
            self.power = Power({}, None, 0, f"pynq cannot read power sensors here ({error})")
            return
        self._sensors = {name: rail.power for name, rail in rails_by_name.items() if rail.power is not None}
        if not self._sensors:
            self.power = Power({}, None, 0, f"{self._board.name} has no power sensor that pynq can read")

    def _sample(self) -> None:
        while not self._stop.is_set():
            try:
                values = {name: float(sensor.value) for name, sensor in self._sensors.items()}
            except (OSError, RuntimeError, ValueError) as error:
                self.power = Power({}, None, 0, f"a power sensor failed ({error})")
                self._samples = 0
                return
            for name, value in values.items():
                self._sums[name] = self._sums.get(name, 0.0) + value
            self._samples += 1
            self._stop.wait(INTERVAL)


def _pynq_rails() -> dict[str, Any]:
    import warnings

    from pynq.pmbus import get_rails

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pynq warns without libsensors; the report says it instead
        rails: dict[str, Any] = get_rails()
    return rails
