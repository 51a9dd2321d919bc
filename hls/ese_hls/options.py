"""What a user may set: the keys of `hls_config["Model"]` that this backend reads, those it ignores, and no others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ese_host.errors import UnsupportedError

OURS = {
    "PEs": "pes",
    "GapBits": "gap_bits",
    "AccBanks": "acc_banks",
    "CellsPerCycle": "cells_per_cycle",
    "Board": "board",
    "ClockMHz": "clock_mhz",
    "AllowDense": "allow_dense",
}
"""Keys of this backend, and the options that they set."""
IGNORED = {
    "Precision": "formats come from the model's quantizers",
    "Strategy": "the engine has one",
    "BramFactor": "weights are always in memories",
    "TraceOutput": "a RUN packet has a trace flag",
    "BitExact": "the engine always is",
    "ConvImplementation": "there are no convolutions",
}


@dataclass(frozen=True)
class Options:
    """Choices of one conversion.

    Attributes:
        pes: processing elements. gap_bits: bits of the relative index.
        acc_banks: accumulators a row, None to choose. cells_per_cycle: element-wise units, None to choose.
        board: name of a board file. clock_mhz: clock, None for the board's.
        allow_dense: whether a model without one zero weight is accepted.
    """

    pes: int = 8
    gap_bits: int = 5
    acc_banks: int | None = None
    cells_per_cycle: int | None = None
    board: str = "pynq-z2"
    clock_mhz: int | None = None
    allow_dense: bool = False

    def __post_init__(self) -> None:
        ranges = {"pes": (1, 128), "gap_bits": (2, 12), "acc_banks": (1, 4), "cells_per_cycle": (1, 2), "clock_mhz": (1, 1000)}
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if value is None and name not in ("pes", "gap_bits"):
                continue
            if type(value) is not int or not low <= value <= high:
                raise UnsupportedError(f"option {name} is {value!r}; an integer from {low} to {high} is allowed")

    def to_model_config(self) -> dict[str, Any]:
        """The options as `hls_config["Model"]`."""
        return {key: getattr(self, name) for key, name in OURS.items()}

    @property
    def element_units(self) -> int:
        """Element-wise units: as chosen, or two where there is a pair of PEs to feed them."""
        return self.cells_per_cycle if self.cells_per_cycle is not None else min(2, self.pes)


def options_from(model: dict[str, Any], defaults: dict[str, Any] | None = None) -> Options:
    """Options of `hls_config["Model"]`; `defaults` come from the conversion's keyword arguments.

    Raises:
        UnsupportedError: a key that nothing here reads, or a value out of its range.
    """
    unknown = sorted(set(model) - set(OURS) - set(IGNORED) - {"ReuseFactor"})
    if unknown:
        raise UnsupportedError(
            f"hls_config['Model'] has key {unknown[0]!r}; backend ESE knows {', '.join(OURS)} and accepts "
            f"{', '.join(IGNORED)} without effect: remove it or correct its spelling"
        )
    if model.get("ReuseFactor", 1) != 1:
        raise UnsupportedError(
            f"hls_config['Model']['ReuseFactor'] is {model['ReuseFactor']!r}; parallelism is set by 'PEs' "
            "(processing elements) here: leave ReuseFactor at 1"
        )
    given = {OURS[key]: value for key, value in model.items() if key in OURS and value is not None}
    return Options(**{**(defaults or {}), **given})
