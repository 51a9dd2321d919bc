"""golden.npz: a `Network` or a `Program` on disk, as named integer arrays and one JSON text; nothing is unpickled."""

from __future__ import annotations

import io
import json
import types
import typing
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ese_host.errors import EseError, FormatError, UnsupportedError
from ese_host.files import npz
from ese_host.ir.activations import Activation
from ese_host.ir.fixed import Fixed
from ese_host.ir.network import Dense, Lstm, Matrix, Network
from ese_host.ir.program import Output, Port, Program, Step

_CLASSES = {
    cls.__name__: cls
    for cls in (Network, Lstm, Dense, Matrix, Activation, Fixed, Program, Port, Output, *typing.get_args(Step))
}
MAX_BYTES = 1 << 30


def dump(model: Network | Program) -> bytes:
    """The bytes of golden.npz, the same for the same model; a program of one chain alone is its network."""
    if isinstance(model, Program) and model.lone is not None:
        model = model.lone
    arrays: dict[str, np.ndarray[Any, Any]] = {}

    def plain(value: Any, path: str) -> Any:
        if isinstance(value, np.ndarray):
            arrays[path] = value
            return {"array": path}
        if is_dataclass(value):
            items = {f.name: plain(getattr(value, f.name), f"{path}/{f.name}") for f in fields(value)}
            return {"class": type(value).__name__, **items}
        if isinstance(value, tuple):
            return [plain(item, f"{path}/{i}") for i, item in enumerate(value)]
        return value

    text = json.dumps(plain(model, type(model).__name__.lower()), sort_keys=True)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, json=np.array(text), **{k.replace("/", "."): v for k, v in arrays.items()})
    return buffer.getvalue()


def load(path: Path) -> Program:
    """Read golden.npz; a network becomes the program of one chain.

    Raises:
        EseError: the file is not a golden.npz of this version, or what it holds does not fit together.
    """
    try:
        arrays = npz.read(path, MAX_BYTES)
        value = _build(json.loads(str(arrays["json"])), arrays)
    except EseError:
        raise
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, OverflowError) as error:
        raise FormatError(f"{path}: not a golden.npz of this version ({error}); build the design again") from error
    if isinstance(value, Network):
        return Program.of(value)
    if not isinstance(value, Program):
        raise FormatError(f"{path}: holds a {type(value).__name__}; expected a Network or a Program: build it again")
    return value


def load_network(path: Path) -> Network:
    """Read golden.npz of one chain alone.

    Raises:
        EseError: as `load`; UnsupportedError: it holds a program of more.
    """
    network = load(path).lone
    if network is None:
        raise UnsupportedError(f"{path}: holds a program; one network is expected here: `ese4ml check` takes programs")
    return network


def _build(value: Any, arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
    if isinstance(value, list):
        return tuple(_build(item, arrays) for item in value)
    if not isinstance(value, dict):
        return value
    if set(value) == {"array"}:
        array = arrays[value["array"].replace("/", ".")]
        if array.dtype != np.int64:
            raise FormatError(f"array {value['array']} has type {array.dtype}; int64 is expected")
        return array
    cls = _CLASSES[value["class"]]
    items = {key: _build(item, arrays) for key, item in value.items() if key != "class"}
    for name, hint in typing.get_type_hints(cls).items():
        if not _fits(items.get(name), hint):
            raise FormatError(f"{cls.__name__}.{name} is {items.get(name)!r}; expected {hint}")
    return cls(**items)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value read from a file has the annotated type, as far as these classes use types."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is np.ndarray:
        return isinstance(value, np.ndarray)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, item) for item in arguments)
    if origin is typing.Literal:
        return value in arguments
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(item, arguments[0]) for item in value)
    return type(value) is hint
