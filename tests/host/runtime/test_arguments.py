# SPDX-License-Identifier: Apache-2.0
"""Arguments of every kind: each has its obvious meaning, or is refused by name."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calls import call
from small_design import INPUTS, SOURCE, codes, expected, make_twins

from ese_host.check import check
from ese_host.errors import EseError, FormatError
from ese_host.ir import Fixed
from ese_host.runtime import Accelerator, EnginePool, run_program

FRAMES = codes(2, 3)
NUMPY: Any = np
MASKED = NUMPY.ma.MaskedArray(FRAMES, FRAMES < 0)
ROW = FRAMES[0].tolist()


def objects(*items: Any) -> np.ndarray[Any, Any]:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


REFUSED_INPUTS = [
    None, 5, 2.5, "text", b"bytes", {"x": FRAMES}, {1, 2}, (item for item in FRAMES), object(), [], [[]], [None],
    [ROW, [[1] * INPUTS, [1] * (INPUTS - 1)]], [["a"] * INPUTS], FRAMES[0], FRAMES[0].tolist(), FRAMES.astype(float),
    FRAMES.astype(complex), FRAMES.astype(bool), FRAMES.astype(str), FRAMES.astype(object), MASKED,
    [MASKED[0]], np.full((1, 1, INPUTS), 2**64 - 1, np.uint64), np.zeros((1, 1, INPUTS), "M8[s]"),
    [FRAMES[0], FRAMES[1].astype(float)], np.int64(3), np.array(None), [[[10**30] * INPUTS]], FRAMES[:, :0], FRAMES[:0],
]  # fmt: skip
REFUSED_LENGTHS = [
    5, "23", ["a", "b"], [1.5, 2], [1.0, 2.0], [True, True], [-1, 2], [0, 2], [2, 4], [1], [1, 2, 3], [[1, 2]],
    {"x": 1}, (item for item in (1, 2)), [None, 1], [1, [2]], MASKED[:, 0, 0], [10**30, 1], [math.nan, 1],
    np.array([1, 2], object), [1 + 0j, 2],
]  # fmt: skip


@pytest.fixture
def engine(folder: Path) -> Any:
    with Accelerator(folder, driver="adapter") as accelerator:
        yield accelerator


@pytest.fixture
def calls(engine: Accelerator) -> Any:
    pool = EnginePool([engine])
    return engine.run, lambda *given: run_program(engine, *given), pool.run, pool.run_program


@pytest.mark.filterwarnings("ignore")
def test_inputs_that_are_no_codes_are_refused(calls: Any) -> None:
    for given in REFUSED_INPUTS:
        for run in calls:
            with pytest.raises(FormatError, match=r"input|expected 1 to T steps"):
                run(given)


@pytest.mark.filterwarnings("ignore")
def test_lengths_that_are_no_steps_are_refused(calls: Any) -> None:
    for given in REFUSED_LENGTHS:
        for run in calls:
            with pytest.raises(FormatError, match="lengths are"):
                run(FRAMES, given)


def test_inputs_of_other_forms_mean_the_same(engine: Any) -> None:
    for given in (FRAMES.tolist(), tuple(FRAMES), objects(*FRAMES), [ROW, FRAMES[1]], FRAMES.astype(np.int8)):
        for lengths in (None, [3, 3], (3, 3), np.array([3, 3], np.uint64), [np.int8(3), 3]):
            result = engine.run(given, lengths)
            np.testing.assert_array_equal(result.outputs, expected(FRAMES, result.frac))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trace": "x"}, "trace is 'x'; expected True or False"),
        ({"keep": 1}, "keep is 1; expected True or False"),
        *(({"batch": value}, f"batch is {value!r}; expected") for value in (0, -1, 1.5, True, None, "2")),
    ],
)
def test_options_of_a_stream(engine: Accelerator, arguments: Any, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        next(engine.stream(FRAMES, **arguments))


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, 1e300, "5", True, [1]])
def test_timeouts(folder: Path, value: Any) -> None:
    with pytest.raises(FormatError, match="timeout is"):
        Accelerator(folder, driver="adapter", timeout=value)


@pytest.mark.parametrize("value", [5, None, [], 2.5, b"small", "a\0b", object()])
def test_folders(engine: Accelerator, value: Any) -> None:
    for use in (Accelerator, engine.load, check):
        with pytest.raises(EseError):
            use(value)
    with pytest.raises(EseError, match="has no chain"):
        engine.select(value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        *(({"trust": value}, "trust is") for value in ("no", 1, None, [True])),
        *(({"driver": value}, "driver is") for value in ("Pynq", "", None, 3, ["adapter"])),
        *(({"device": value}, "device is") for value in ("pynq", 0, False, b"x")),
    ],
)
def test_choice_of_a_device(folder: Path, arguments: Any, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        Accelerator(folder, **arguments)


def test_numbers_that_python_does_not_print(engine: Accelerator, folder: Path) -> None:
    big: Any = 10**5000
    for use in (
        lambda: engine.run(big), lambda: engine.run(FRAMES, [big]), lambda: engine.run(FRAMES, keep=big),
        lambda: engine.run(FRAMES, timeout=big), lambda: engine.select(big), lambda: engine.load(big),
        lambda: check(folder, trace=big), lambda: EnginePool([big]), lambda: run_program(engine, big),
    ):  # fmt: skip
        with pytest.raises(EseError, match=r"a value of type|type object"):
            use()


def test_options_of_a_check(folder: Path) -> None:
    with pytest.raises(FormatError, match="trace is 'x'; expected True, False or None"):
        check(folder, trace="x", driver="adapter")  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [None, 5, [], [None], "ab", {}])
def test_pools(value: Any) -> None:
    with pytest.raises(FormatError, match=r"the pool got .*; a list of at least one accelerator is expected"):
        EnginePool(value)


@pytest.mark.parametrize("given", [{}, {"y": FRAMES}, {5: FRAMES}, {"x": FRAMES, None: FRAMES}, {"x": None}])
def test_inputs_by_wrong_names(folder: Path, given: Any) -> None:
    make_twins(folder)
    with Accelerator(folder, driver="adapter") as engine:
        with pytest.raises(FormatError, match="input"):
            run_program(engine, given)
        with pytest.raises(FormatError, match=r"lengths are given for \[5\]"):
            run_program(engine, {"x": FRAMES}, {5: [1, 1]})


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "value",
    ["1.5", ["1"], [1, [2]], [1j], [None], None, {}, object(), MASKED, [math.nan], [b"1"]],
)
def test_what_has_no_fixed_point_code(value: Any) -> None:
    with pytest.raises(FormatError, match=r"real numbers in one array are expected|is NaN"):
        Fixed(8, 4).from_float(value)


def test_what_has_a_fixed_point_code() -> None:
    for value in ([0.5, 1, 99], (0.5, True, np.inf), np.array([0.5, 1.0, 99.0], np.float16)):
        assert Fixed(8, 4).from_float(value).tolist() == [8, 16, 127]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "has no array 'inputs'"),
        ({"inputs": np.zeros((2, 3))}, r"inputs are float64 \(2, 3\)"),
        ({"inputs": FRAMES.astype(bool)}, r"inputs are bool \(2, 3, 5\)"),
        ({"inputs": FRAMES.astype(complex)}, "inputs are complex128"),
        ({"inputs": FRAMES.astype(str)}, "inputs are <U"),
        ({"inputs": np.full((1, 1, INPUTS), math.nan)}, r"value at \(0, 0, 0\) is NaN"),
        ({"inputs": np.full((1, 1, INPUTS), 2**64 - 1, np.uint64)}, "expected codes of 64 bits"),
        ({"inputs": np.full((1, 1, INPUTS), SOURCE.high + 1)}, "its format holds"),
        ({"inputs": FRAMES, "steps": [1.5, 1.5]}, "steps are float64"),
        ({"inputs": FRAMES, "steps": [4, 1]}, r"steps span 1\.\.4"),
        ({"inputs": FRAMES, "labels": [True, False]}, "labels are bool"),
        ({"inputs": FRAMES, "keras_predictions": ["a", "b"]}, "keras_predictions are"),
    ],
)
def test_arrays_of_a_file(folder: Path, tmp_path: Path, arrays: Any, message: str) -> None:
    np.savez(tmp_path / "mine.npz", **arrays)
    done = call("run", str(folder), "--driver", "adapter", "--input", str(tmp_path / "mine.npz"))
    assert done.exit_code == 2
    assert re.search(f"mine.npz: .*{message}", done.stderr)


@pytest.mark.parametrize("contents", [b"", b"text", b"PK\x03\x04", b"\x93NUMPY\x01\x00"])
def test_files_that_are_no_npz(folder: Path, tmp_path: Path, contents: bytes) -> None:
    (tmp_path / "mine.npz").write_bytes(contents)
    done = call("run", str(folder), "--driver", "adapter", "--input", str(tmp_path / "mine.npz"))
    assert done.exit_code == 2
    assert "mine.npz: cannot be read as .npz" in done.stderr
