# SPDX-License-Identifier: Apache-2.0
"""Reading .keras files with custom objects, which may be defined in packages unknown to this one.

Keras is imported only when a model is read. It reads in its safe mode, which is its default and refuses code in a
file (Lambda layers); classes come from installed packages only.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from ese_host.errors import FormatError, MissingError

GROUP = "ese4ml.keras_objects"
"""Group of entry points; each names a module that registers Keras classes when it is imported."""

MESSAGE = 200
"""Most characters of Keras's own message that are shown, as it may contain a complete configuration."""


def load_model(
    path: Path, advice: str, *, compiled: bool = False, keras2: bool = False, named: Sequence[str] = ()
) -> Any:
    """Load a saved Keras model with the custom objects of QKeras and of all registered packages.

    Args:
        path: the file.
        advice: advice in the error message if the file does not exist.
        compiled: whether to compile the model as it was saved, for training.
        keras2: whether Keras is Keras 2, with which QKeras does not register its classes.
        named: class names of the layers that always get their saved names back. If none are given, all layers of QKeras
            do, unless another layer has the name.

    Raises:
        MissingError: if the file does not exist, or a package that the model needs is not installed.
        FormatError: if the file is no Keras model, or needs a class that no package registers.
    """
    if not path.is_file():
        raise MissingError(f"{path} is not there; {advice}")
    try:
        import keras
        import qkeras  # qkeras-v3 registers its classes
    except ImportError as error:
        raise MissingError(f"{error.name} is not installed; pip install 'ese4ml[train,hls]'") from error
    objects: dict[str, Any] = {}
    if keras2:
        qkeras.utils._add_supported_quantized_objects(objects)
    else:
        for entry in entry_points(group=GROUP):
            entry.load()
    try:
        model = keras.models.load_model(path, custom_objects=objects, compile=compiled)
    except (ValueError, TypeError, KeyError, OSError) as error:
        first = str(error).splitlines()[0][:MESSAGE] if str(error) else type(error).__name__
        raise FormatError(
            f"{path} cannot be read as a Keras model: {first}; save it again, or install the package that defines its "
            f"classes (entry points of group {GROUP!r} name such modules)"
        ) from error
    _restore_names(model, named)
    return model


def _restore_names(model: Any, named: Sequence[str]) -> None:
    """Restore the names of QLSTM layers after loading: qkeras-v3 gives a saved QLSTM's name only to its cell."""
    taken = {layer.name for layer in model.layers}
    for layer in model.layers:
        cell = getattr(layer, "cell", None)
        name, kind = getattr(cell, "name", ""), type(layer).__name__
        wanted = kind in named if named else kind.startswith("Q") and name not in taken
        if wanted and name and "_cell" not in name:  # a cell's default name is like qlstm_cell
            layer.name = name
        if hasattr(layer, "layers"):
            _restore_names(layer, named)
