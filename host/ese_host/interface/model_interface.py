# SPDX-License-Identifier: Apache-2.0
"""The inputs and outputs of a Keras model: `predict` takes and gives what the model's own `predict` does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError, MismatchError
from ese_host.interface.arrays import Extents, Floats, as_floats, numbers_of, with_all_axes
from ese_host.interface.values import empty, outputs_of
from ese_host.ir import shown
from ese_host.ir.program import Program, ProgramRun

MAX_NAME = 200
"""Most characters of the name of an input, an output or a class."""
MAX_CLASSES = 1 << 16
WAY_OUT = "convert the model again"


@dataclass(frozen=True)
class ModelInput:
    """An input of a model.

    Attributes:
        name: its name.
        shape: its shape without the sample axis; None for an axis that varies.
        key: the key under which the model takes it, if the model itself takes a dict.
        mean: what is subtracted from recorded values, for each element of the last axis; None if they are taken as
            recorded.
        deviation: by what recorded values are divided after that; None as `mean`.

    Raises:
        FormatError: if the name is no printable text, or the mean and the deviation do not fit the shape.
    """

    name: str
    shape: Extents
    key: str | None = None
    mean: tuple[float, ...] | None = None
    deviation: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        _check_names("an input", [self.name])
        _check_shape(f"input {self.name!r}", self.shape)
        if (self.mean is None) != (self.deviation is None):
            raise FormatError(
                f"input {self.name!r} has only one of mean and deviation; recorded values need both: give the other too"
            )
        width = self.width
        for what, values in (("mean", self.mean), ("deviation", self.deviation)):
            if values is not None and (len(values) != width or not np.isfinite(values).all()):
                raise FormatError(
                    f"input {self.name!r}: {what} has {len(values)} numbers; {width} finite ones are expected, one for "
                    "each feature: correct the scaling, or leave it out"
                )
        if self.deviation is not None and not all(self.deviation):
            raise FormatError(
                f"input {self.name!r}: deviation is 0 for feature {self.deviation.index(0)}; values cannot be divided "
                "by it: give 1 for a feature that never varies"
            )

    @property
    def width(self) -> int:
        """Elements of the last axis, or 1 if it varies."""
        return _width(self.shape)

    def scaled(self, recorded: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The model's input for recorded values: (recorded - mean) / deviation, or the values themselves."""
        if self.mean is None or self.deviation is None:
            return recorded
        with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is refused later, by its place
            scaled: npt.NDArray[np.float64] = (recorded - np.asarray(self.mean)) / np.asarray(self.deviation)
            return scaled


@dataclass(frozen=True)
class ModelOutput:
    """An output of a model.

    Attributes:
        name: its name.
        shape: its shape without the sample axis; None for an axis that varies.
        classes: names of the classes that it tells, by their numbers; None if they have no names.

    Raises:
        FormatError: if a name is no printable text, or there is another number of classes than the output tells.
    """

    name: str
    shape: Extents
    classes: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        _check_names("an output", [self.name])
        _check_shape(f"output {self.name!r}", self.shape)
        if self.classes is None:
            return
        told = max(2, _width(self.shape))  # a single sigmoid tells two classes
        if len(self.classes) != told or told > MAX_CLASSES:
            raise FormatError(
                f"output {self.name!r} has {len(self.classes)} names of classes; it tells {told} classes, and at most "
                f"{MAX_CLASSES} can have names: give one name for each, in the order of their numbers"
            )
        _check_names(f"a class of output {self.name!r}", self.classes)


@dataclass(frozen=True, eq=False)
class ModelInterface:
    """Inputs and outputs of a model.

    Attributes:
        inputs: the inputs in the model's order.
        outputs: the outputs in the model's order.
        structure: the outputs as the model nests them in dicts and lists, with their numbers in their places.

    Raises:
        FormatError: if there is no input or output, names of inputs are not unique, only some inputs have keys, or the
            structure does not hold the number of each output once.
    """

    inputs: tuple[ModelInput, ...]
    outputs: tuple[ModelOutput, ...]
    structure: Any = 0

    def __post_init__(self) -> None:
        if not self.inputs or not self.outputs:
            raise FormatError(
                f"a model has {len(self.inputs)} inputs and {len(self.outputs)} outputs; at least one of each is needed"
            )
        keys = [item.key for item in self.inputs if item.key is not None]
        for what, names in (("input", self.names), ("key", keys), ("output", [item.name for item in self.outputs])):
            if len(set(names)) < len(names):
                raise FormatError(f"the {what}s of a model are {list(names)}; each needs a name of its own: rename one")
        if keys and len(keys) < len(self.inputs):
            raise FormatError(f"only the inputs with the keys {keys} have keys; all or none have one: {WAY_OUT}")
        leaves = list(_leaves(self.structure))
        if any(type(leaf) is not int for leaf in leaves) or sorted(leaves) != list(range(len(self.outputs))):
            raise FormatError(
                f"the structure of outputs is {shown(self.structure)}; it holds each number from 0 to "
                f"{len(self.outputs) - 1} once, in lists and objects: {WAY_OUT}"
            )

    @classmethod
    def of(cls, program: Program) -> ModelInterface:
        """The interface of a program without a model: (steps, features) or (features,) of each of its ports."""
        inputs = tuple(
            ModelInput(port.name, (port.width,) if port.kind == "vector" else (port.steps, port.width))
            for port in program.inputs
        )
        outputs = []
        for output in program.outputs:
            tensor = program.tensors[output.tensor]
            shape = (tensor.width,) if tensor.kind == "vector" else (tensor.steps, tensor.width)
            outputs.append(ModelOutput(output.name, shape))
        return cls(inputs, tuple(outputs), 0 if len(outputs) == 1 else list(range(len(outputs))))

    def require_program(self, program: Program) -> None:
        """Check that this is the interface of a program.

        Raises:
            MismatchError: if the numbers of inputs or outputs differ, or a shape is of other frames.
        """
        counts = len(self.inputs), len(self.outputs)
        if counts != (len(program.inputs), len(program.outputs)):
            raise MismatchError(
                f"the interface has {counts[0]} inputs and {counts[1]} outputs; the golden model has "
                f"{len(program.inputs)} and {len(program.outputs)}: {WAY_OUT}"
            )
        for given, port in zip(self.inputs, program.inputs, strict=True):
            _check_frames(f"input {given.name!r}", given.shape, port.width)
        for made, output in zip(self.outputs, program.outputs, strict=True):
            tensor = program.tensors[output.tensor]
            _check_frames(f"output {made.name!r}", made.shape, tensor.width)
            if made.classes is not None and not program.has_classes(output):
                raise MismatchError(
                    f"output {made.name!r} has names of classes; it is a single value that is no sigmoid, which tells "
                    "no class: leave the names out"
                )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the inputs in the model's order."""
        return tuple(item.name for item in self.inputs)

    @property
    def keys(self) -> tuple[str, ...]:
        """For each input, the key under which the model takes it; empty if the model takes no dict."""
        return tuple(item.key for item in self.inputs if item.key is not None)

    def fed(self, arrays: Mapping[str, Any]) -> Any:
        """The samples of all inputs as the Keras model takes them."""
        if self.keys:
            return {key: arrays[name] for key, name in zip(self.keys, self.names, strict=True)}
        return arrays[self.names[0]] if len(self.names) == 1 else [arrays[name] for name in self.names]

    def values(self, run: ProgramRun | None, arrays: Mapping[str, Floats]) -> list[Floats]:
        """The outputs of a run in Keras's shapes, in the model's order.

        Args:
            run: the run, or None if there were no samples.
            arrays: the inputs; only needed without a run, for the lengths of sequences that have none.
        """
        shapes = [item.shape for item in self.outputs]
        return [empty(shape, arrays) for shape in shapes] if run is None else outputs_of(run, shapes)

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

    def arrays(self, x: Any, what: str = "x", *, scaled: bool = True) -> dict[str, Floats]:
        """The samples of each input by its name, as (samples, *shape) arrays of Keras's own type of floats.

        Args:
            x: an array or a list of numbers; for several inputs a list of them in the model's order, or a dict.
            what: name of the samples in error messages.
            scaled: whether they are the model's inputs already; otherwise they are recorded values.

        Raises:
            FormatError: if an input is missing, has another shape, or is not finite.
        """
        given = self._given(x, what)
        return self._floats(given, slice(None), scaled)

    def parts(self, x: Any, numbers: int, *, scaled: bool = True) -> Iterator[dict[str, Floats]]:
        """The samples as in `arrays`, some at a time; at least one part, which may be without samples.

        Args:
            x: the samples as in `arrays`.
            numbers: most numbers of a part; a single sample may have more.
            scaled: as in `arrays`.

        Raises:
            FormatError: as in `arrays`.
        """
        given = self._given(x, "x")
        count = len(given[self.names[0]])
        size = sum(array[0].size for array in given.values()) if count else 1
        at_once = max(1, numbers // size)
        for start in range(0, max(count, 1), at_once):
            yield self._floats(given, slice(start, start + at_once), scaled)

    def _given(self, x: Any, what: str) -> dict[str, npt.NDArray[Any]]:
        """The samples of each input with all axes, in the type in which they were given."""
        given = self._by_name(x, what)
        arrays = {
            item.name: with_all_axes(numbers_of(given[item.name], f"input {item.name!r}"), item.name, item.shape)
            for item in self.inputs
        }
        counts = {name: len(array) for name, array in arrays.items()}
        if len(set(counts.values())) > 1:
            raise FormatError(f"inputs have {counts} samples; all must have the same number")
        return arrays

    def _floats(self, given: Mapping[str, npt.NDArray[Any]], part: slice, scaled: bool) -> dict[str, Floats]:
        """Some of the samples as floats."""
        floats = {}
        for item in self.inputs:
            values = given[item.name][part].astype(np.float64)
            floats[item.name] = as_floats(values if scaled else item.scaled(values), item.name, part.start or 0)
        return floats

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
            axes = len(self.inputs[0].shape) + (self.inputs[0].shape[-1:] != (1,))
            return {self.names[0]: x[0] if listed and len(x[0].shape) >= axes else x}
        if isinstance(x, (list, tuple)) and len(x) == len(self.names):
            return dict(zip(self.names, x, strict=True))
        found = f"{len(x)} arrays" if isinstance(x, (list, tuple)) else f"a single {type(x).__name__}"
        raise FormatError(
            f"{what} is {found}; the model has the inputs {', '.join(self.names)}: give a list of one array for each "
            "in this order, or a dict by name"
        )


def _check_names(what: str, names: Sequence[str]) -> None:
    for name in names:
        if not 0 < len(name) <= MAX_NAME or not name.isprintable():
            raise FormatError(f"{what} is called {shown(name)}; 1 to {MAX_NAME} printable characters are expected")


def _check_shape(what: str, shape: Extents) -> None:
    if any(extent is not None and not 1 <= extent < 1 << 31 for extent in shape):
        raise FormatError(f"{what} has shape {shape}; extents are positive, or null for one that varies: {WAY_OUT}")


def _width(shape: Extents) -> int:
    """Elements of the last axis of a shape, or 1 if it varies."""
    return 1 if not shape or shape[-1] is None else shape[-1]


def _check_frames(what: str, shape: Extents, width: int) -> None:
    """Refuse a shape whose known extents make no whole frames of `width` elements."""
    known = int(np.prod([extent for extent in shape if extent is not None], dtype=object))
    if known % width or shape.count(None) > 1:
        raise MismatchError(f"{what} has shape {shape}; the golden model has frames of {width} elements: {WAY_OUT}")


def _leaves(nested: Any) -> Iterable[Any]:
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
