"""Which extra of the distribution brings a package that is not installed."""

from __future__ import annotations

from ese_host.errors import MissingError

EXTRAS = {
    **dict.fromkeys(("ese_models", "tensorflow", "keras", "qkeras", "numba", "tqdm"), "train"),
    **dict.fromkeys(("ese_hls", "hls4ml", "bitarray"), "hls"),
    "pynq": "board",
}
"""Extra that brings a package, by the package's import name."""


def extra_of(module: str | None) -> str:
    """The extra that brings a module, by its dotted name; empty where none does."""
    return EXTRAS.get((module or "").partition(".")[0], "")


def needs(what: str, extra: str) -> MissingError:
    """The error of something that cannot be used without an extra."""
    return MissingError(f"{what} needs the '{extra}' extra: pip install 'ese4ml[{extra}]'")
