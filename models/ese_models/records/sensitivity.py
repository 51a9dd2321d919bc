"""Sensitivity scan: what a network loses where one kernel alone is pruned, without retraining (Han et al., NIPS'15)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ese_host.errors import UnsupportedError
from ese_host.files import write_file
from ese_models.records import charts

Choose = Callable[[str, npt.NDArray[np.float32], float], npt.NDArray[np.bool_]]
"""(kernel name, (outputs, inputs) weights, density) -> mask of the weights' shape."""
DENSITIES = (1.0, 0.5, 0.3, 0.2, 0.15, 0.1, 0.05, 0.02)


@dataclass(frozen=True)
class Sensitivity:
    """Metric of a network over the density of each of its kernels, the others dense.

    Attributes:
        metric: name of what was measured; more is better.
        dense: its value with every kernel dense.
        densities: of the kernel in question.
        kernels: kernel name -> its value at each density.
    """

    metric: str
    dense: float
    densities: tuple[float, ...]
    kernels: Mapping[str, tuple[float, ...]]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        kernels = {name: list(values) for name, values in self.kernels.items()}
        return {**asdict(self), "densities": list(self.densities), "kernels": kernels}

    def table(self) -> str:
        """Text, one line a kernel."""
        width = max(len(name) for name in ("density", *self.kernels))
        lines = [f"{'density':{width}}" + "".join(f"{density:9.3g}" for density in self.densities)]
        lines += [
            f"{name:{width}}" + "".join(f"{100 * value:9.2f}" for value in values)
            for name, values in self.kernels.items()
        ]
        return "\n".join(lines)

    def least_densities(self, loss: float) -> dict[str, float]:
        """Lowest density of each kernel down to which, from 1 on, it costs at most `loss` by itself.

        >>> Sensitivity("accuracy", 0.9, (1.0, 0.5, 0.1), {"a": (0.9, 0.89, 0.5)}).least_densities(0.02)
        {'a': 0.5}
        """
        found = {}
        for name, values in self.kernels.items():
            found[name] = 1.0
            for density, value in sorted(zip(self.densities, values, strict=True), reverse=True):
                if value < self.dense - loss:
                    break
                found[name] = density
        return found


def write(found: Sensitivity, result: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write sensitivity.json, with `result`, and sensitivity.svg, a line for each kernel; returns their paths."""
    data, chart = folder / "sensitivity.json", folder / "sensitivity.svg"
    write_file(data, json.dumps(result, indent=1) + "\n")
    order = sorted(range(len(found.densities)), key=lambda index: -found.densities[index])
    charts.lines(
        chart,
        "One kernel pruned, without retraining",
        [f"{100 * found.densities[index]:.3g}%" for index in order],
        ("density of the kernel", f"{found.metric}, %"),
        {name: [100 * values[index] for index in order] for name, values in found.kernels.items()},
    )
    return [data, chart]


def scan(
    kernels: Mapping[str, Any],
    choose: Choose,
    score: Callable[[], float],
    densities: Sequence[float] = DENSITIES,
    *,
    metric: str = "accuracy",
    progress: Callable[[], None] = lambda: None,
) -> Sensitivity:
    """Prune each kernel alone at each density, measure, and put it back.

    Args:
        kernels: name -> Keras variable, (inputs, outputs), of a trained model.
        choose: gives a mask for a density.
        score: measures the model as it is.
        densities: to try.
        metric: name of what `score` gives.
        progress: called after each measurement.

    Raises:
        UnsupportedError: there are no densities, or one lies outside 0..1.
    """
    if not densities or not all(0 <= density <= 1 for density in densities):
        raise UnsupportedError(f"densities are {', '.join(map(str, densities)) or 'none'}; some from 0 to 1 are needed")
    dense = score()
    found = {}
    for name, variable in kernels.items():
        weights = np.array(variable)
        values = []
        try:
            for density in densities:
                variable.assign(weights * choose(name, weights.T, density).T)
                values.append(score())
                progress()
        finally:
            variable.assign(weights)
        found[name] = tuple(values)
    return Sensitivity(metric, dense, tuple(densities), found)
