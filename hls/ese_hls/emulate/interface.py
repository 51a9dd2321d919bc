"""The inputs and outputs of a Keras model: `predict` takes and gives what the model's own `predict` does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ese_hls.frontend import Extents
from ese_host.errors import FormatError
from ese_host.ir import shown

Floats = npt.NDArray[np.float32]
LARGEST = float(np.finfo(np.float32).max)
TAKEN = (
    "NumPy arrays, lists of numbers, and tensors are taken: for a data set or generator, collect the samples in an "
    "array first"
)


@dataclass(frozen=True, eq=False)
class ModelInterface:
    """Inputs and outputs of a model.

    Attributes:
        names: names of the inputs in the model's order.
        shapes: shape of each input without the sample axis; None for an axis that varies.
        keys: for each input, the key under which the model takes it, if the model itself takes a dict.
        structure: the model's outputs as it nests them in dicts and lists, with their numbers in place of the tensors.
    """

    names: tuple[str, ...]
    shapes: tuple[Extents, ...]
    keys: tuple[str, ...] = ()
    structure: Any = 0

    @classmethod
    def of(cls, inputs: Mapping[str, Extents], model: Any, outputs: int) -> ModelInterface:
        """The interface of a Keras 3 or Keras 2 model.

        Args:
            inputs: shape of each input by its name, in the model's order.
            model: the Keras model, or None if it is not known.
            outputs: number of its outputs.
        """
        names = tuple(inputs)
        given = _structure(model, "inputs")
        numbers = _places(getattr(model, "inputs", ()))
        keys: tuple[str, ...] = ()
        if isinstance(given, Mapping) and all(id(tensor) in numbers for tensor in given.values()):
            by_place = {numbers[id(tensor)].pop(0): str(key) for key, tensor in given.items()}
            keys = tuple(by_place[place] for place in sorted(by_place))
        made = _numbered(_structure(model, "outputs"), _places(getattr(model, "outputs", ())))
        if isinstance(made, list) and len(made) == 1:
            made = made[0]  # as Keras does
        known = sorted(_leaves(made)) == list(range(outputs))
        plain: Any = 0 if outputs == 1 else list(range(outputs))
        return cls(names, tuple(inputs.values()), keys, made if known else plain)

    def fed(self, arrays: Mapping[str, Any]) -> Any:
        """The samples of all inputs as the Keras model takes them."""
        if self.keys:
            return {key: arrays[name] for key, name in zip(self.keys, self.names, strict=True)}
        return arrays[self.names[0]] if len(self.names) == 1 else [arrays[name] for name in self.names]

    def packed(self, values: Sequence[Any]) -> Any:
        """The values of all outputs, nested as the model nests its outputs."""
        return _filled(self.structure, values)

    def listed(self, nested: Any, what: str) -> list[Any]:
        """The inverse of `packed`; a plain list in the order of the model's outputs is taken too.

        Args:
            nested: values of all outputs.
            what: name of the values in error messages.

        Raises:
            FormatError: if the values are not nested like the model's outputs.
        """
        count = 1 + max(_leaves(self.structure))
        found: dict[int, Any] = {}
        if _emptied(self.structure, nested, found):
            return [found[place] for place in range(count)]
        if isinstance(nested, (list, tuple)) and len(nested) == count:
            return list(nested)
        names = _filled(self.structure, [f"output {place}" for place in range(count)])
        raise FormatError(
            f"{what} has another structure than the model's outputs, which are {shown(names)}: give one array for each "
            "output, in the same structure"
        )

    def arrays(self, x: Any, what: str = "x") -> dict[str, Floats]:
        """The samples of each input by its name, as (samples, *shape) arrays of Keras's own type of floats.

        Args:
            x: an array or a list of numbers; for several inputs a list of them in the model's order, or a dict.
            what: name of the samples in error messages.

        Raises:
            FormatError: if an input is missing, has another shape, or is not finite.
        """
        given = self._by_name(x, what)
        arrays = {
            name: _finite(_shaped(numbers_of(given[name], f"input {name!r}"), name, shape), name)
            for name, shape in zip(self.names, self.shapes, strict=True)
        }
        counts = {name: len(array) for name, array in arrays.items()}
        if len(set(counts.values())) > 1:
            raise FormatError(f"inputs have {counts} samples; all must have the same number")
        return arrays

    def samples(self, x: Any, what: str) -> dict[str, Floats]:
        """The same as `arrays`, for at least one sample; error messages begin with `what`.

        Raises:
            FormatError: if there is none, or an input is missing, has another shape, or is not finite.
        """
        try:
            arrays = self.arrays(x, "it")
        except FormatError as error:
            raise FormatError(f"{what}: {error}") from error
        if not len(arrays[self.names[0]]):
            raise FormatError(f"{what} holds no samples; at least one is needed")
        return arrays

    def _by_name(self, x: Any, what: str) -> dict[str, Any]:
        """Samples by the names of the inputs, as they were given."""
        if isinstance(x, Mapping):
            for keys in (self.keys, self.names):
                if keys and set(keys) <= set(x):
                    return {name: x[key] for name, key in zip(self.names, keys, strict=True)}
            raise FormatError(
                f"{what} has {sorted(map(str, x))}; the model's inputs are {sorted(self.keys or self.names)}"
            )
        if len(self.names) == 1:
            listed = isinstance(x, (list, tuple)) and len(x) == 1 and hasattr(x[0], "__array__")
            axes = len(self.shapes[0]) + (self.shapes[0][-1:] != (1,))
            return {self.names[0]: x[0] if listed and len(x[0].shape) >= axes else x}
        if isinstance(x, (list, tuple)) and len(x) == len(self.names):
            return dict(zip(self.names, x, strict=True))
        found = f"{len(x)} arrays" if isinstance(x, (list, tuple)) else f"a single {type(x).__name__}"
        raise FormatError(
            f"{what} is {found}; the model has the inputs {', '.join(self.names)}: give a list of one array for each "
            "in this order, or a dict by name"
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
        return {key: _numbered(item, places) for key, item in nested.items()}
    if isinstance(nested, (list, tuple)):
        return [_numbered(item, places) for item in nested]
    numbers = places.get(id(nested))
    return numbers.pop(0) if numbers else -1


def _leaves(nested: Any) -> Iterable[int]:
    """The numbers in a nesting."""
    if isinstance(nested, (dict, list)):
        for item in nested.values() if isinstance(nested, dict) else nested:
            yield from _leaves(item)
    else:
        yield nested


def _filled(nested: Any, values: Sequence[Any]) -> Any:
    """A nesting with values in the places of their numbers."""
    if isinstance(nested, dict):
        return {key: _filled(item, values) for key, item in nested.items()}
    if isinstance(nested, list):
        return [_filled(item, values) for item in nested]
    return values[nested]


def _emptied(nested: Any, values: Any, found: dict[int, Any]) -> bool:
    """Put nested values into `found` by their numbers; whether they are nested as expected."""
    if isinstance(nested, dict):
        same = isinstance(values, Mapping) and set(values) == set(nested)
        return same and all(_emptied(item, values[key], found) for key, item in nested.items())
    if isinstance(nested, list):
        same = isinstance(values, (list, tuple)) and len(values) == len(nested)
        return same and all(_emptied(*pair, found) for pair in zip(nested, values, strict=True))
    found[nested] = values
    return True


def numbers_of(given: Any, what: str) -> npt.NDArray[Any]:
    """An array of numbers from whatever Keras would take as one.

    Raises:
        FormatError: if it is no array of real numbers.
    """
    if isinstance(given, np.ma.MaskedArray):
        raise FormatError(f"{what} is a masked array; fill the masked values first, with its method `filled`")
    if not hasattr(given, "__array__") and not isinstance(given, (list, tuple, int, float)):
        raise FormatError(f"{what} is a {type(given).__name__}; {TAKEN}")
    try:
        array = np.asarray(given)
    except Exception as error:  # NumPy and other libraries say with any class that they cannot convert
        raise FormatError(f"{what} cannot become an array; all samples must have the same shape: pad them") from error
    if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
        raise FormatError(f"{what} holds values of type {array.dtype}; {TAKEN}")
    return array


def _shaped(array: npt.NDArray[Any], name: str, shape: Extents) -> npt.NDArray[Any]:
    """An input with all its axes: as Keras does, a last axis of one element may be missing."""
    if array.ndim == len(shape) and shape[-1] == 1:
        array = array[..., None]
    wanted = ", ".join(["samples", *("steps" if extent is None else str(extent) for extent in shape)])
    wanted += "," * (not shape)
    fits = array.ndim == len(shape) + 1 and all(
        extent in (None, found) for extent, found in zip(shape, array.shape[1:], strict=True)
    )
    if not fits:
        one = array.ndim == len(shape) and all(e in (None, n) for e, n in zip(shape, array.shape, strict=True))
        way = ": give a single sample as a batch of one, x[None]" if one else ""
        raise FormatError(f"input {name!r} has shape {array.shape}; the model takes ({wanted}){way}")
    if 0 in array.shape[1:]:
        raise FormatError(f"input {name!r} has shape {array.shape}; a sample has at least one step")
    return array


def _finite(array: npt.NDArray[Any], name: str) -> Floats:
    """An input as Keras's floats; what these cannot hold becomes their largest value."""
    values = array.astype(np.float64)
    wrong = ~np.isfinite(values)
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise FormatError(
            f"input {name!r} is {values[index]} at {index}; only finite numbers are taken: check the samples"
        )
    return np.clip(values, -LARGEST, LARGEST).astype(np.float32)
