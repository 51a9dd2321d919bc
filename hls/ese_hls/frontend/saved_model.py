# SPDX-License-Identifier: Apache-2.0
"""Reading saved Keras models for conversion, with Keras 3 or Keras 2, whichever is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ese_hls.keras_version import is_keras2
from ese_host.files import saved_model


def load_model(path: Path) -> Any:
    """Load a saved Keras model with QKeras's classes and all registered custom classes; it is not compiled.

    Raises:
        MissingError: if there is no such file, or a package that the model needs is not installed.
        FormatError: if the file is not a Keras model, or needs a class that no package registers.
    """
    advice = "make it with `ese4ml compress`, or name a .keras file"
    return saved_model.load_model(path, advice, keras2=is_keras2())
