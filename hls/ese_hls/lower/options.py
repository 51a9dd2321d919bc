"""Options of a conversion: the keys of `hls_config["Model"]` that this backend reads or ignores; others are refused."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

from ese_hls.encode import Storage
from ese_host.errors import UnsupportedError
from ese_host.image import Mode
from ese_host.ir import WEIGHT_KINDS, WeightKind

OURS = {
    "PEs": "pes",
    "GapBits": "gap_bits",
    "AccBanks": "acc_banks",
    "CellsPerCycle": "cells_per_cycle",
    "Board": "board",
    "ClockMHz": "clock_mhz",
    "Mode": "mode",
    "FifoDepth": "fifo_depth",
    "WeightCode": "weights",
    "Storage": "storage",
}
"""Keys that this backend reads, and the options that they set."""
RENAMED = {"Weights": "WeightCode"}
"""Keys of release 0.1 that have another name now; they work for one more release, with a warning."""
ALLOWED: dict[str, range | tuple[int, ...] | tuple[str, ...]] = {
    "pes": range(1, 129),
    "gap_bits": range(2, 13),
    "acc_banks": (1, 2, 4),
    "cells_per_cycle": (1, 2),
    "clock_mhz": range(1, 1001),
    "mode": ("stream", "skip"),
    "fifo_depth": (1, 2, 4, 8, 16, 32, 64, 128, 256),
    "weights": tuple(WEIGHT_KINDS),
    "storage": ("auto", "sparse", "full"),
}
"""Allowed values of the options."""
IGNORED = {
    "Precision": "the default for tensors without quantizer, read elsewhere",
    "Strategy": "the engine has only one",
    "BramFactor": "weights are always in memories",
    "TraceOutput": "traces are requested at run time, by a flag of the RUN packet",
    "BitExact": "the engine always is",
    "ConvImplementation": "there are no convolutions",
}
"""Keys of hls4ml that are accepted but have no effect as options, and why."""


@dataclass(frozen=True)
class ConversionOptions:
    """The user's choices for one conversion.

    Attributes:
        pes: number of processing elements.
        gap_bits: bits of the relative index.
        acc_banks: accumulators per row, or None for as few as the scales allow.
        cells_per_cycle: element-wise units, or None for 2 if the number of PEs is even, else 1.
        board: name of the target board.
        clock_mhz: clock in MHz, or None for the board's.
        mode: "stream" (all activations are processed) or "skip" (only those that are not zero, or have changed).
        fifo_depth: columns that a PE's FIFO holds, in skip mode.
        weights: weight kind, or None for the narrowest that holds the model.
        storage: how matrices are stored: "auto" (each the cheaper way), all "sparse", or all "full".
    """

    pes: int = 8
    gap_bits: int = 5
    acc_banks: int | None = None
    cells_per_cycle: int | None = None
    board: str = "pynq-z2"
    clock_mhz: int | None = None
    mode: Mode = "stream"
    fifo_depth: int = 8
    weights: WeightKind | None = None
    storage: Storage = "auto"

    def __post_init__(self) -> None:
        for name, allowed in ALLOWED.items():
            value = getattr(self, name)
            if value is None and name in ("acc_banks", "cells_per_cycle", "clock_mhz", "weights"):
                continue
            if isinstance(value, bool) or value not in allowed:
                words = (
                    f"{allowed[0]} to {allowed[-1]}" if isinstance(allowed, range) else " or ".join(map(str, allowed))
                )
                key = next(key for key, option in OURS.items() if option == name)
                raise UnsupportedError(
                    f"option {name} (hls_config['Model'][{key!r}]) is {value!r}; {words} is allowed: choose an allowed "
                    "value"
                )
        if self.pes % 2 and self.cells_per_cycle == 2:
            raise UnsupportedError(
                f"option cells_per_cycle is 2 with {self.pes} PEs; two element-wise units need an even number of PEs, "
                "of which each drains one half: choose 1, or an even number of PEs"
            )

    def to_model_config(self) -> dict[str, Any]:
        """The options as keys and values of `hls_config["Model"]`."""
        return {key: getattr(self, name) for key, name in OURS.items()}

    @property
    def element_units(self) -> int:
        """The number of element-wise units: as chosen, else two if the number of PEs is even, else one."""
        return self.cells_per_cycle if self.cells_per_cycle is not None else 2 - self.pes % 2


def options_from(model: dict[str, Any], defaults: dict[str, Any] | None = None) -> ConversionOptions:
    """The options of a conversion.

    Args:
        model: `hls_config["Model"]`.
        defaults: options for keys that `model` does not have; they come from the conversion's keyword arguments.

    Raises:
        UnsupportedError: if a key is unknown, or a value is not allowed.
    """
    for old in RENAMED.keys() & model.keys():
        new = RENAMED[old]
        sentence = f"hls_config['Model'][{old!r}] is called {new!r} now; use the new name"
        warnings.warn(sentence, FutureWarning, stacklevel=2)
        model = {new: model[old], **{key: value for key, value in model.items() if key != old}}
    unknown = sorted(set(model) - set(OURS) - set(IGNORED) - {"ReuseFactor", "WeightSource"})
    if unknown:
        raise UnsupportedError(
            f"hls_config['Model'] has key {unknown[0]!r}; backend ESE knows {', '.join(OURS)}, and accepts "
            f"{', '.join(IGNORED)} of hls4ml: remove the key or correct its spelling"
        )
    if model.get("WeightSource", "image") != "image":
        raise UnsupportedError(
            f"hls_config['Model']['WeightSource'] is {model['WeightSource']!r}; 'image' is allowed: weights are loaded "
            "at run time, so that one bitstream serves every model that fits it: leave WeightSource out"
        )
    if model.get("ReuseFactor", 1) != 1:
        raise UnsupportedError(
            f"hls_config['Model']['ReuseFactor'] is {model['ReuseFactor']!r}; parallelism is set by 'PEs' "
            "(processing elements) here: leave ReuseFactor at 1"
        )
    given = {OURS[key]: value for key, value in model.items() if key in OURS and value is not None}
    return ConversionOptions(**{**(defaults or {}), **given})
