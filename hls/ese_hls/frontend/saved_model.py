"""Reading .keras files whose custom objects live in packages that this one does not know."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from ese_hls.generation import is_classic
from ese_host.errors import FormatError, MissingError

GROUP = "ese4ml.keras_objects"
"""Entry points in this group name modules that register Keras classes when they are imported."""

MESSAGE = 200
"""Characters of Keras's own message that are shown; it may hold a whole configuration."""


def load_model(path: Path) -> Any:
    """A saved Keras model, with QKeras's and all registered custom objects.

    Raises:
        MissingError: there is no such file, or a package that the model needs is not installed.
        FormatError: the file is no Keras model, or needs a class that nobody registers.
    """
    if not path.is_file():
        raise MissingError(f"{path} is not there; make it with `ese4ml compress`, or name a .keras file")
    try:
        import keras
        import qkeras  # qkeras-v3 registers its classes
    except ImportError as error:
        raise MissingError(f"{error.name} is not installed; pip install 'ese4ml[train,hls]'") from error
    objects: dict[str, Any] = {}
    if is_classic():
        qkeras.utils._add_supported_quantized_objects(objects)  # QKeras 0.9 registers none of its classes
    else:
        for entry in entry_points(group=GROUP):
            entry.load()
    try:
        model = keras.models.load_model(path, custom_objects=objects, compile=False)
    except (ValueError, TypeError, KeyError, OSError) as error:
        first = str(error).splitlines()[0][:MESSAGE] if str(error) else type(error).__name__
        raise FormatError(
            f"{path} cannot be read as a Keras model: {first}; save it again, or install the package that defines its "
            f"classes (entry points of group {GROUP!r} name such modules)"
        ) from error
    _restore_names(model)
    return model


def _restore_names(model: Any) -> None:
    """Give QLSTM layers the names they were built with: qkeras-v3 hands a QLSTM's name on to its cell."""
    taken = {layer.name for layer in model.layers}
    for layer in model.layers:
        cell = getattr(layer, "cell", None)
        name = getattr(cell, "name", "")
        if type(layer).__name__.startswith("Q") and name and "_cell" not in name and name not in taken:
            layer.name = name
