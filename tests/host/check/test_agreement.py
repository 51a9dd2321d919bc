# SPDX-License-Identifier: Apache-2.0
"""Agreement of outputs with labels, Keras's values and targets, for programs of one and of several outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ese_host.bundle import testset
from ese_host.check.agreement import Agreement
from ese_host.check.confusion import interval
from ese_host.errors import FormatError
from ese_host.ir.program import Program, ProgramRun, run
from support.programs import program_inputs, two_inputs

COUNT = 6


@pytest.fixture(scope="module")
def program() -> Program:
    return two_inputs(np.random.default_rng(25))


def made(tmp_path: Path, program: Program, change: Any) -> tuple[testset.TestSet, ProgramRun]:
    """A test set with the golden model's own values, after a change; and a run of it."""
    codes, steps = program_inputs(np.random.default_rng(3), program, COUNT, 5)
    result = run(program, codes, steps)
    arrays: dict[str, Any] = {f"inputs_{number}": array for number, array in enumerate(codes.values())}
    arrays |= {"steps": steps, "keras_predictions": result.values()[np.arange(COUNT), result.output().steps - 1]}
    arrays["keras_predictions_1"] = result.values("states")
    change(arrays, result)
    np.savez(tmp_path / "testset.npz", **arrays)
    return testset.read(tmp_path / "testset.npz", program), result


def figures(tests: testset.TestSet, result: ProgramRun) -> list[dict[str, Any]]:
    """The figures, after all samples were added in two parts."""
    rows = []
    for expected in tests.outputs:
        agreement = Agreement.of(result, expected)
        for start, stop in ((0, 4), (4, COUNT)):
            agreement.add(run(result.program, *tests.part(start, stop)))
        rows.append(agreement.to_json())
    return rows


def test_the_golden_model_agrees_with_itself(tmp_path: Path, program: Program) -> None:
    tests, result = made(tmp_path, program, lambda arrays, run: arrays.update(labels_1=run.classes("states")))
    first, second = figures(tests, result)
    assert first == {"output": program.outputs[0].name, "agreement_with_keras": 1.0, "difference_from_keras": 0.0}
    assert second.pop("accuracy_interval") == interval(COUNT, COUNT)
    assert sum(row["right"] for row in second.pop("classes")) == COUNT
    assert second == {
        "output": "states", "accuracy": 1.0, "agreement_with_keras": 1.0, "difference_from_keras": 0.0
    }  # fmt: skip


def test_differences_and_errors_are_of_frames_that_were_run(tmp_path: Path, program: Program) -> None:
    def change(arrays: dict[str, Any], result: ProgramRun) -> None:
        steps = result.output("states").steps
        frames = arrays["keras_predictions_1"] = result.values("states").copy()
        frames[0, 0, 1] += 0.25
        frames[~(np.arange(frames.shape[1]) < steps[:, None])] = 1e6  # padding, which no program computes
        arrays["targets"] = arrays["keras_predictions"] + 0.5
        arrays["keras_predictions"] = arrays["keras_predictions"] + 0.25
        arrays["labels_1"] = np.where(np.arange(COUNT) < 2, 9, result.classes("states"))

    first, second = figures(*made(tmp_path, program, change))
    assert first["difference_from_keras"] == pytest.approx(0.25) and "agreement_with_keras" not in first
    assert first["rms_error"] == pytest.approx(0.5) and first["rms_error_of_keras"] == pytest.approx(0.25)
    assert second["difference_from_keras"] == pytest.approx(0.25) and second["accuracy"] == pytest.approx(4 / 6)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("labels_1", np.zeros(COUNT), r"labels_1 are float64 \(6,\); expected integers \(6,\)"),
        ("targets", np.full((COUNT, 1), np.nan), r"targets hold NaN or values beyond float32; give finite "),
        (
            "targets_1",
            np.full((COUNT, 5), 1e200),
            r"targets_1 hold NaN or values beyond float32; give ",
        ),
        ("keras_predictions_1", np.zeros((COUNT, 1, 5)), r"keras_predictions_1 are \(6, 1, 5\); expected \(6, 5\) or "),
        ("targets_1", np.zeros((COUNT, 4)), r"targets_1 are \(6, 4\); expected \(6, 5\) or \(N, T, width\), of a num"),
    ],
)
def test_wrong_expectations_are_refused(tmp_path: Path, program: Program, name: str, value: Any, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        made(tmp_path, program, lambda arrays, _: arrays.update({name: value}))
