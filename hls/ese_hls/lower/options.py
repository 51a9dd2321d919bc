"""What a user may set: the keys of `hls_config["Model"]` that this backend reads, those it ignores, and no others."""

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
"""Keys of this backend, and the options that they set."""
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
IGNORED = {
    "Precision": "the default for kernels without quantizer; other formats come from the model's quantizers",
    "Strategy": "the engine has one",
    "BramFactor": "weights are always in memories",
    "TraceOutput": "a RUN packet has a trace flag",
    "BitExact": "the engine always is",
    "ConvImplementation": "there are no convolutions",
}


@dataclass(frozen=True)
class ConversionOptions:
    """Choices of one conversion.

    Attributes:
        pes: processing elements. gap_bits: bits of the relative index.
        acc_banks: accumulators a row, None to choose. cells_per_cycle: element-wise units, None to choose.
        board: name of a board file. clock_mhz: clock, None for the board's.
        mode: "stream" (all activations) or "skip" (those that are not zero, or have changed).
        fifo_depth: columns that a PE's FIFO holds, in skip mode.
        weights: kind of weight, None for the narrowest that holds the model.
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
                raise UnsupportedError(f"option {name} is {value!r}; {words} is allowed: choose one of these")
        if self.pes % 2 and self.cells_per_cycle == 2:
            raise UnsupportedError(
                f"option cells_per_cycle is 2 with {self.pes} PEs; each of two units drains PEs of its own: "
                "choose 1, or an even number of PEs"
            )

    def to_model_config(self) -> dict[str, Any]:
        """The options as `hls_config["Model"]`."""
        return {key: getattr(self, name) for key, name in OURS.items()}

    @property
    def element_units(self) -> int:
        """Element-wise units: as chosen, or two where the PEs divide between them."""
        return self.cells_per_cycle if self.cells_per_cycle is not None else 2 - self.pes % 2


def options_from(model: dict[str, Any], defaults: dict[str, Any] | None = None) -> ConversionOptions:
    """Options of `hls_config["Model"]`; `defaults` come from the conversion's keyword arguments.

    Raises:
        UnsupportedError: a key that nothing here reads, or a value out of its range.
    """
    for old in RENAMED.keys() & model.keys():
        new = RENAMED[old]
        sentence = f"hls_config['Model'][{old!r}] is called {new!r} now; use the new name"
        warnings.warn(sentence, FutureWarning, stacklevel=2)
        model = {new: model[old], **{key: value for key, value in model.items() if key != old}}
    unknown = sorted(set(model) - set(OURS) - set(IGNORED) - {"ReuseFactor", "WeightSource"})
    if unknown:
        raise UnsupportedError(
            f"hls_config['Model'] has key {unknown[0]!r}; backend ESE knows {', '.join(OURS)} and accepts "
            f"{', '.join(IGNORED)} without effect: remove it or correct its spelling"
        )
    if model.get("WeightSource", "image") != "image":
        raise UnsupportedError(
            f"hls_config['Model']['WeightSource'] is {model['WeightSource']!r}; 'image' is allowed: weights are loaded "
            "at run time, so that one bitstream serves every model that fits it"
        )
    if model.get("ReuseFactor", 1) != 1:
        raise UnsupportedError(
            f"hls_config['Model']['ReuseFactor'] is {model['ReuseFactor']!r}; parallelism is set by 'PEs' "
            "(processing elements) here: leave ReuseFactor at 1"
        )
    given = {OURS[key]: value for key, value in model.items() if key in OURS and value is not None}
    return ConversionOptions(**{**(defaults or {}), **given})
