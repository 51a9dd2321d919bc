"""Reading .keras files for conversion, by whichever generation of Keras is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ese_hls.keras_version import is_keras2
from ese_host.files import saved_model


def load_model(path: Path) -> Any:
    """A saved Keras model, with QKeras's and all registered custom objects; it is not compiled.

    Raises:
        MissingError: there is no such file, or a package that the model needs is not installed.
        FormatError: the file is no Keras model, or needs a class that nobody registers.
    """
    advice = "make it with `ese4ml compress`, or name a .keras file"
    return saved_model.load_model(path, advice, classic=is_keras2())
