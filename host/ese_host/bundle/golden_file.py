# SPDX-License-Identifier: Apache-2.0
"""golden.npz: a `Network` or a `Program` on disk, as named integer arrays and one JSON text.

Reading it unpickles nothing, so a foreign file cannot run code.
"""

from __future__ import annotations

import io
import json
from typing import Any, Union, cast

import numpy as np

from ese_host.errors import EseError, FormatError, UnsupportedError
from ese_host.files import JsonForm, Place, Source, decode, encode, json_text, npz
from ese_host.ir import Network
from ese_host.ir.program import Program

MAX_BYTES = 1 << 30
MAX_TEXT = 1 << 22
"""Most characters of the JSON text; a layer takes about 500."""
ADVICE = "build the design again"
_MODEL = cast("type[Network | Program]", Union[Network, Program])
_TAG = "class"
"""Key of the class name in each object of the JSON text."""


def dump(model: Network | Program) -> bytes:
    """The bytes of golden.npz, the same for equal models. A program of a single chain is written as its network."""
    if isinstance(model, Program) and model.lone is not None:
        model = model.lone
    arrays: dict[str, np.ndarray[Any, Any]] = {}

    def reference(array: np.ndarray[Any, Any], place: Place) -> dict[str, str]:
        path = "/".join(map(str, (type(model).__name__.lower(), *place)))
        arrays[path.replace("/", ".")] = array
        return {"array": path}

    text = json.dumps(encode(model, reference, _TAG), sort_keys=True)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, json=np.array(text), **arrays)
    return buffer.getvalue()


def load(path: Source) -> Program:
    """Read golden.npz; a network is returned as the program of its one chain.

    Raises:
        EseError: if the file is not a golden.npz of this version, or the model in it is inconsistent.
    """
    arrays = npz.read(path, MAX_BYTES)

    def referred(value: Any, where: str) -> np.ndarray[Any, Any]:
        # each array stands for one place, so that a short text cannot make a huge model of one array
        array = arrays.pop(value["array"].replace("/", "."), None) if _is_reference(value) else None
        if array is None or array.dtype != np.int64:
            kind = repr(value) if array is None else f"an array of {array.dtype}"
            raise FormatError(f"{where} is {kind}; expected an int64 array of this file: {ADVICE}")
        return array

    text = arrays.get("json")
    if text is None or text.ndim or text.dtype.kind != "U":
        raise FormatError(f"{path}: has arrays {sorted(arrays)}; one of them must be a text named json: {ADVICE}")
    try:
        # str() of NumPy's text fails with a SystemError if a code point is none of Unicode's
        characters = text.tobytes().decode("utf-32-be" if text.dtype.byteorder == ">" else "utf-32-le").rstrip("\0")
        value = json_text.parse(characters, str(path), MAX_TEXT, ADVICE)
        model = decode(_MODEL, value, str(path), ADVICE, JsonForm(_TAG, {np.ndarray: referred}))
    except EseError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        raise FormatError(f"{path}: not a golden.npz of this version ({error}); {ADVICE}") from error
    return Program.of(model) if isinstance(model, Network) else model


def load_network(path: Source) -> Network:
    """Read a golden.npz that holds a network.

    Raises:
        UnsupportedError: if it holds a program that is more than one network.
        EseError: the errors of `load`.
    """
    network = load(path).lone
    if network is None:
        raise UnsupportedError(f"{path}: holds a program; one network is expected here: `ese4ml check` takes programs")
    return network


def _is_reference(value: Any) -> bool:
    """Whether a value of the JSON text stands for an array of the file."""
    return isinstance(value, dict) and set(value) == {"array"} and isinstance(value["array"], str)
