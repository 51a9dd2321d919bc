# SPDX-License-Identifier: Apache-2.0
"""The interface of a Keras model, read from the model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ese_host.interface import Extents, ModelInput, ModelInterface, ModelOutput


def interface_of(inputs: Mapping[str, Extents], outputs: Mapping[str, Extents], model: Any) -> ModelInterface:
    """The interface of a Keras 3 or Keras 2 model.

    Args:
        inputs: shape of each input by its name, in the model's order.
        outputs: shape of each output by its name, in the model's order.
        model: the Keras model, or None if it is not known.
    """
    given = _structure(model, "inputs")
    numbers = _places(getattr(model, "inputs", ()))
    keys: dict[int, str] = {}
    if isinstance(given, Mapping) and all(id(tensor) in numbers for tensor in given.values()):
        keys = {numbers[id(tensor)].pop(0): str(key) for key, tensor in given.items()}
    made = _numbered(_structure(model, "outputs"), _places(getattr(model, "outputs", ())))
    if isinstance(made, list) and len(made) == 1:
        made = made[0]  # as Keras does
    plain: Any = 0 if len(outputs) == 1 else list(range(len(outputs)))
    known = sorted(_leaves(made)) == list(range(len(outputs)))
    return ModelInterface(
        tuple(ModelInput(name, shape, keys.get(place)) for place, (name, shape) in enumerate(inputs.items())),
        tuple(ModelOutput(name, shape) for name, shape in outputs.items()),
        made if known else plain,
    )


def _structure(model: Any, side: str) -> Any:
    """The nesting of a model's inputs or outputs, which Keras 3 and Keras 2 keep under other names."""
    model = getattr(model, "_functional", None) or model
    for name in (f"_{side}_struct", f"_nested_{side}"):
        if getattr(model, name, None) is not None:
            return getattr(model, name)
    return None


def _places(tensors: Iterable[Any]) -> dict[int, list[int]]:
    """The places of each tensor among others, by its identity; the same tensor may be an output twice."""
    places: dict[int, list[int]] = {}
    for number, tensor in enumerate(tensors):
        places.setdefault(id(tensor), []).append(number)
    return places


def _numbered(nested: Any, places: dict[int, list[int]]) -> Any:
    """A nesting of tensors with their numbers in their places; -1 for a tensor that has none."""
    if isinstance(nested, Mapping):
        return {str(key): _numbered(item, places) for key, item in nested.items()}
    if isinstance(nested, (list, tuple)):
        return [_numbered(item, places) for item in nested]
    numbers = places.get(id(nested))
    return numbers.pop(0) if numbers else -1


def _leaves(nested: Any) -> list[int]:
    """The numbers in a nesting."""
    if isinstance(nested, (dict, list)):
        return [leaf for item in (nested.values() if isinstance(nested, dict) else nested) for leaf in _leaves(item)]
    return [nested]
