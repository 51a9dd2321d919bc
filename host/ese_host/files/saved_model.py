"""Reading .keras files, whose custom objects live in packages that this one does not know. Keras is imported late."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from ese_host.errors import FormatError, MissingError

GROUP = "ese4ml.keras_objects"
"""Entry points in this group name modules that register Keras classes when they are imported."""

MESSAGE = 200
"""Characters of Keras's own message that are shown; it may hold a whole configuration."""


def load_model(
    path: Path, advice: str, *, compiled: bool = False, classic: bool = False, named: Sequence[str] = ()
) -> Any:
    """A saved Keras model, with QKeras's and all registered custom objects, its layers named as they were saved.

    Args:
        path: the file.
        advice: how one gets a model, where there is none.
        compiled: whether it is compiled as it was saved, for training.
        classic: whether Keras is Keras 2, whose QKeras registers none of its classes.
        named: kinds of layers that get their saved names back in any case; where none are given, all of QKeras's do,
            but for names that another layer has.

    Raises:
        MissingError: there is no such file, or a package that the model needs is not installed.
        FormatError: the file is no Keras model, or needs a class that nobody registers.
    """
    if not path.is_file():
        raise MissingError(f"{path} is not there; {advice}")
    try:
        import keras
        import qkeras  # qkeras-v3 registers its classes
    except ImportError as error:
        raise MissingError(f"{error.name} is not installed; pip install 'ese4ml[train,hls]'") from error
    objects: dict[str, Any] = {}
    if classic:
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
    """Give QLSTM layers the names they were built with: qkeras-v3 hands a QLSTM's name on to its cell."""
    taken = {layer.name for layer in model.layers}
    for layer in model.layers:
        cell = getattr(layer, "cell", None)
        name, kind = getattr(cell, "name", ""), type(layer).__name__
        wanted = kind in named if named else kind.startswith("Q") and name not in taken
        if wanted and name and "_cell" not in name:
            layer.name = name
