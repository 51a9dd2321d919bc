# SPDX-License-Identifier: Apache-2.0
"""Sensitivity scan: the loss of accuracy when only one kernel is pruned, without retraining (Han et al., NIPS'15)."""

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
"""Function from (kernel name, (outputs, inputs) weights, density) to a mask of the weights' shape."""
DENSITIES = (1.0, 0.5, 0.3, 0.2, 0.15, 0.1, 0.05, 0.02)
"""Densities that are tried by default."""


@dataclass(frozen=True)
class Sensitivity:
    """Result of a scan: the metric of a network when one kernel has a lower density and the others are dense.

    Attributes:
        metric: name of the metric, 0 to 1; more is better.
        dense: value of the metric with all kernels dense.
        densities: that were tried.
        kernels: name of the pruned kernel -> value of the metric at each density.
    """

    metric: str
    dense: float
    densities: tuple[float, ...]
    kernels: Mapping[str, tuple[float, ...]]

    def to_json(self) -> dict[str, Any]:
        """All fields as plain values for JSON."""
        kernels = {name: list(values) for name, values in self.kernels.items()}
        return {**asdict(self), "densities": list(self.densities), "kernels": kernels}

    def table(self) -> str:
        """The result as text: one line per kernel, one column per density, the metric in percent."""
        width = max(len(name) for name in ("density", *self.kernels))
        lines = [f"{'density':{width}}" + "".join(f"{density:9.3g}" for density in self.densities)]
        lines += [
            f"{name:{width}}" + "".join(f"{100 * value:9.2f}" for value in values)
            for name, values in self.kernels.items()
        ]
        return "\n".join(lines)

    def least_densities(self, loss: float) -> dict[str, float]:
        """Kernel name -> lowest density at which, and above which, pruning only this kernel costs at most `loss`.

        >>> Sensitivity("accuracy", 0.9, (1.0, 0.5, 0.1), {"a": (0.9, 0.89, 0.5)}).least_densities(0.02)
        {'a': 0.5}
        """
        least = {}
        for name, values in self.kernels.items():
            least[name] = 1.0
            for density, value in sorted(zip(self.densities, values, strict=True), reverse=True):
                if value < self.dense - loss:
                    break
                least[name] = density
        return least


def write(scanned: Sensitivity, result: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write the files of a scan: sensitivity.json, and the chart sensitivity.svg with one line per kernel.

    Args:
        scanned: result of the scan, which the chart shows.
        result: content of the JSON file.
        folder: where the files are written.

    Returns:
        Paths of the two files.
    """
    data, chart = folder / "sensitivity.json", folder / "sensitivity.svg"
    write_file(data, json.dumps(result, indent=1) + "\n")
    order = sorted(range(len(scanned.densities)), key=lambda index: -scanned.densities[index])
    charts.lines(
        chart,
        "One kernel pruned, without retraining",
        [f"{100 * scanned.densities[index]:.3g}%" for index in order],
        ("density of the kernel", f"{scanned.metric}, %"),
        {name: [100 * values[index] for index in order] for name, values in scanned.kernels.items()},
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
    """Prune one kernel at a time to each density, measure the network, and restore the kernel.

    Args:
        kernels: kernel name -> Keras variable, (inputs, outputs), of a trained model.
        choose: gives the mask of a kernel for a density.
        score: measures the model in its present state.
        densities: to try, 0 to 1.
        metric: name of the value that `score` returns.
        progress: called after each measurement.

    Raises:
        UnsupportedError: if there are no densities, or one lies outside 0 to 1.
    """
    if not densities or not all(0 <= density <= 1 for density in densities):
        raise UnsupportedError(
            f"densities are {', '.join(map(str, densities)) or 'none'}; one or more from 0 to 1 are needed"
        )
    dense = score()
    scores = {}
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
        scores[name] = tuple(values)
    return Sensitivity(metric, dense, tuple(densities), scores)
