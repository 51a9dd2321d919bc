# SPDX-License-Identifier: Apache-2.0
"""Options of a conversion: the keys of `hls_config` that this backend reads or ignores; others are refused by name."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from ese_hls.encode import Storage
from ese_hls.flows import FLOWS, flow
from ese_hls.lower.conversion_log import ConversionLog
from ese_host.bundle import FlowName
from ese_host.errors import UnsupportedError
from ese_host.image import MAX_PES, USUAL_WINDOW, WINDOWS, Mode, words_of
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
    "SelfCheck": "self_check",
    "Flow": "flow",
    "Window": "window",
}
"""Keys that this backend reads, and the options that they set."""
RENAMED = {"Weights": "WeightCode"}
"""Keys of release 0.1 that have another name now; they work for one more release, with a warning."""
ALLOWED: dict[str, range | tuple[int, ...] | tuple[str, ...]] = {
    "pes": range(1, MAX_PES + 1),
    "gap_bits": range(2, 13),
    "acc_banks": (1, 2, 4),
    "cells_per_cycle": (1, 2),
    "clock_mhz": range(1, 1001),
    "mode": ("stream", "skip"),
    "fifo_depth": (1, 2, 4, 8, 16, 32, 64, 128, 256),
    "weights": tuple(WEIGHT_KINDS),
    "storage": ("auto", "sparse", "full"),
    "self_check": range(1025),
    "flow": FLOWS,
    "window": WINDOWS,
}
"""Allowed values of the options."""
OPTIONAL = {"pes", "acc_banks", "cells_per_cycle", "clock_mhz", "weights", "window"}
"""Options that may be None, for what the converter chooses."""
WINDOW_PES = 16
"""PEs from which on a window saves block RAM in RTL, where four banks take the place of a copy for two PEs each."""
IGNORED = {
    "Precision": "the default for what has no quantizer, read elsewhere",
    "ReuseFactor": "the number of PEs sets what runs in parallel; another value than 1 is a warning",
    "Strategy": "the engine has only one",
    "BramFactor": "weights are always in memories",
    "TraceOutput": "traces are requested at run time, by a flag of the RUN packet",
    "BitExact": "the engine always is",
    "ConvImplementation": "there are no convolutions",
}
"""Keys of hls4ml that are accepted but have no effect as options, and why."""

CLASSES = ("InputLayer", "Input", "SparseLSTM", "SparseGRU", "SparseDense", "HostStep", "Activation", "Softmax")
"""Classes of nodes that any model may have, beside those of the model at hand."""
LAYER_KEYS = ("Precision", "Trace", "ReuseFactor", "DeltaInput", "DeltaState", "skip")
"""Keys of a layer's settings that have an effect here, or a check."""
LAYER_KEYS_IGNORED = (
    "Strategy", "BramFactor", "ConvImplementation", "Compression", "TargetCycles", "TableSize", "TableType",
    "TableRangePower2", "Static",
    "ParallelizationFactor", "ExpRange", "Skip", "Implementation", "ExpTableSize", "InvTableSize", "InvInpRange",
    "RecurrentReuseFactor", "ForwardReuseFactor", "BackwardReuseFactor", "ForwardRecurrentReuseFactor",
    "BackwardRecurrentReuseFactor", "DepthwiseReuseFactor", "PointwiseReuseFactor", "AccumType",
)  # fmt: skip
"""Keys of a layer's settings that hls4ml's other backends read; they are accepted without effect."""
VALUES = ("default", "result", "weight", "bias", "recurrent_weight", "state", "peephole_kernel", "projection_kernel")
"""Keys of a layer's `Precision` that have an effect."""
VALUES_IGNORED = (
    "accum", "table", "inv_table", "exp_table", "inv_inp", "inp_norm", "scale", "recurrent_bias", "slope", "shift",
    "param", "embeddings", "dw_output", "depthwise", "pointwise", "depthwise_result", "depthwise_accum",
    "pointwise_accum", "alpha", "threshold",
    *(f"{way}_{what}" for way in ("forward", "backward")
      for what in ("weight", "bias", "recurrent_weight", "recurrent_bias")),
)  # fmt: skip
"""Keys of a layer's `Precision` that hls4ml's other backends read."""
MODEL_VALUES = ("maximum",)
"""Keys that only the model's `Precision` may have, beside those of a layer."""


@dataclass(frozen=True)
class ConversionOptions:
    """The user's choices for one conversion.

    Attributes:
        pes: number of processing elements; None for 8, or as many more as the model's size asks for.
        gap_bits: bits of the relative index.
        acc_banks: accumulators per row, or None for as few as the scales allow.
        cells_per_cycle: element-wise units, or None for 2 if the number of PEs is even, else 1; with flow "rtl" 1. Two
            need a window with flow "rtl" in stream mode.
        board: name of the target board.
        clock_mhz: clock in MHz, or None for the board's.
        mode: "stream" (all activations are processed) or "skip" (only those that are not zero, or have changed).
        fifo_depth: columns that a PE's FIFO holds, in skip mode.
        weights: weight kind, or None for the narrowest that holds the model.
        storage: how matrices are stored: "auto" (each the cheaper way), all "sparse", or all "full".
        self_check: samples that the self-check runs; 0 leaves it out.
        strict: whether a loss is an error instead of a warning.
        flow: of what the engine for a board is made: "hls" (C++ by Vitis HLS) or "rtl" (Verilog, written by ese_rtl).
        window: columns of the activation window, in stream mode; 0 for none; None for what `window_of` says.
    """

    pes: int | None = None
    gap_bits: int = 5
    acc_banks: int | None = None
    cells_per_cycle: int | None = None
    board: str = "pynq-z2"
    clock_mhz: int | None = None
    mode: Mode = "stream"
    fifo_depth: int = 8
    weights: WeightKind | None = None
    storage: Storage = "auto"
    self_check: int = 32
    strict: bool = False
    flow: FlowName = "hls"
    window: int | None = None

    def __post_init__(self) -> None:
        for name, allowed in ALLOWED.items():
            value = getattr(self, name)
            if value is None and name in OPTIONAL:
                continue
            if isinstance(value, bool) or value not in allowed:
                key = next(key for key, option in OURS.items() if option == name)
                raise UnsupportedError(
                    f"option {name} (hls_config['Model'][{key!r}]) is {value!r}; {words_of(allowed)} is allowed: "
                    "choose an allowed value"
                )
        if self.window and self.mode == "skip":
            raise UnsupportedError(
                f"option window (hls_config['Model']['Window']) is {self.window} with mode 'skip', whose columns come "
                "in no fixed order; a window is for mode 'stream': choose that, or leave the window out"
            )
        if self.flow == "rtl":
            self._check_rtl()
        if self.pes is not None and self.pes % 2 and self.cells_per_cycle == 2:
            raise UnsupportedError(
                f"option cells_per_cycle is 2 with {self.pes} PEs; two element-wise units need an even number of PEs, "
                "of which each drains one half: choose 1, or an even number of PEs"
            )

    def _check_rtl(self) -> None:
        """Refuse what the engine in RTL does not have, and let it have one element-wise unit if none is chosen."""
        if self.cells_per_cycle == 2 and self.window == 0 and self.mode == "stream":
            raise UnsupportedError(
                "options cells_per_cycle and window (hls_config['Model']['CellsPerCycle'] and ['Window']) are 2 and 0; "
                "two element-wise units need a window in RTL: leave the window out, or choose 64, or one unit"
            )
        object.__setattr__(self, "cells_per_cycle", self.cells_per_cycle or 1)

    def window_of(self, pes: int) -> int:
        """Columns of the activation window of a design: those chosen, or 64 where that saves block RAM in RTL.

        The engine in HLS has copies of its vector RAMs in any case, so that a window saves nothing there.

        Args:
            pes: number of PEs of the design.
        """
        if self.window is not None:
            return self.window
        saves = self.flow == "rtl" and self.mode == "stream" and (pes >= WINDOW_PES or self.cells_per_cycle == 2)
        return USUAL_WINDOW if saves else 0

    def to_model_config(self) -> dict[str, Any]:
        """The options as keys and values of `hls_config["Model"]`."""
        return {key: getattr(self, name) for key, name in OURS.items()}


def options_from(model: dict[str, Any], defaults: dict[str, Any] | None = None) -> ConversionOptions:
    """The options of a conversion.

    Args:
        model: `hls_config["Model"]`.
        defaults: options for keys that `model` does not have; they come from the conversion's keyword arguments.

    Raises:
        UnsupportedError: if a key is unknown, or a value is not allowed.
        MissingError: if the extra of the flow is not installed.
    """
    for old in RENAMED.keys() & model.keys():
        new = RENAMED[old]
        sentence = f"hls_config['Model'][{old!r}] is called {new!r} now; use the new name"
        warnings.warn(sentence, FutureWarning, stacklevel=2)
        model = {new: model[old], **{key: value for key, value in model.items() if key != old}}
    known = [*OURS, *IGNORED]
    unknown = sorted(map(str, set(model) - set(known) - {"WeightSource"}))
    if unknown:
        raise UnsupportedError(
            f"hls_config['Model'] has key {unknown[0]!r}; {nearest(unknown[0], known)} (backend ESE knows "
            f"{', '.join(OURS)}, and accepts {', '.join(IGNORED)} of hls4ml)"
        )
    if model.get("WeightSource", "image") != "image":
        raise UnsupportedError(
            f"hls_config['Model']['WeightSource'] is {model['WeightSource']!r}; 'image' is allowed: weights are loaded "
            "at run time, so that one bitstream serves every model that fits it: leave WeightSource out"
        )
    given = {OURS[key]: value for key, value in model.items() if key in OURS and value is not None}
    options = ConversionOptions(**{**(defaults or {}), **given})
    if options.flow != "hls":
        flow(options.flow)  # what is not installed is said before a long conversion
    return options


def check_settings(config: Mapping[str, Any], classes: Mapping[str, str], log: ConversionLog) -> None:
    """Check all settings of layers, and say what has no effect.

    Args:
        config: the user's `hls_config`.
        classes: class of each layer's graph node, by the layer's name.
        log: receives warnings.

    Raises:
        UnsupportedError: if a layer, a class or a key is unknown; the message names the nearest one.
    """
    names = (config.get("LayerName") or {}, {name.lower(): name for name in classes}, "layer")
    kinds = (config.get("LayerType") or {}, {kind.lower(): kind for kind in (*classes.values(), *CLASSES)}, "class")
    for table, (settings_of, known, what) in zip(("LayerName", "LayerType"), (names, kinds), strict=True):
        for owner, settings in settings_of.items():
            where = f"hls_config[{table!r}][{owner!r}]"
            if str(owner).lower() not in known:
                raise UnsupportedError(
                    f"{where}: the model has no {what} {owner!r}; {nearest(str(owner), known.values())}"
                )
            _check_keys(where, settings, (*LAYER_KEYS, *LAYER_KEYS_IGNORED, *_attributes_ignored()))
            _check_precision(where, settings.get("Precision"), (*VALUES, *VALUES_IGNORED))
            warn_of_reuse(where, settings, log, owner if what == "layer" else "")
    model = config.get("Model") or {}
    _check_precision("hls_config['Model']", model.get("Precision"), (*VALUES, *VALUES_IGNORED, *MODEL_VALUES))
    warn_of_reuse("hls_config['Model']", model, log)


def warn_of_reuse(where: str, settings: Mapping[str, Any], log: ConversionLog, layer: str = "") -> None:
    """Warn of a reuse factor other than 1, which has no effect.

    Args:
        where: the settings' place in the configuration.
        settings: the settings of the model, a class or a layer.
        log: receives the warning.
        layer: name of the layer, if the settings are one layer's.
    """
    if settings.get("ReuseFactor") not in (None, 1):
        log.warn(
            f"{where}['ReuseFactor'] is {settings['ReuseFactor']!r} and has no effect: hls_config['Model']['PEs'] sets "
            "how many multiplications run in parallel",
            layer,
            "hls_config['Model']['PEs']",
            0.0,
        )


def nearest(word: str, known: Collection[str]) -> str:
    """A hint that begins with the known word most like `word`, or lists all known words if none is like it.

    >>> nearest("Precison", ["Precision", "Trace"])
    "did you mean 'Precision'?"
    >>> nearest("x", ["Precision", "Trace"])
    "'Precision', 'Trace' are known: write one of them"
    """
    by_lower = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), list(by_lower), 1)
    if close:
        return f"did you mean {by_lower[close[0]]!r}?"
    return f"{', '.join(map(repr, dict.fromkeys(known)))} are known: write one of them"


def _attributes_ignored() -> tuple[str, ...]:
    """The ignored keys and precisions by the attributes that hls4ml makes of them; it takes these in settings, too."""
    # Imported here, since importing hls4ml loads this plugin, which could then find this module half imported.
    from hls4ml.utils.string_utils import convert_to_snake_case

    return (*map(convert_to_snake_case, LAYER_KEYS_IGNORED), *(f"{name}_t" for name in VALUES_IGNORED))


def _check_keys(where: str, settings: Any, known: Collection[str]) -> None:
    if not isinstance(settings, Mapping):
        raise UnsupportedError(
            f"{where} is {settings!r}; a dictionary of settings is allowed: write {{'Precision': ...}}"
        )
    for key in settings:
        if key not in known:
            raise UnsupportedError(f"{where} has key {key!r}, which nothing reads; {nearest(str(key), known)}")


def _check_precision(where: str, precision: Any, known: Collection[str]) -> None:
    """Refuse unknown keys of a `Precision`; one that is a text sets the default."""
    if isinstance(precision, Mapping):
        _check_keys(f"{where}['Precision']", precision, known)
