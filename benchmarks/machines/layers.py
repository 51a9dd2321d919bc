# SPDX-License-Identifier: Apache-2.0
"""EIE's nine fully connected layers (ISCA'16, tables III and IV) and random matrices of their sizes and densities."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

EIE_PES, EIE_CLOCK_MHZ, EIE_DEPTH = 64, 800, 8


@dataclass(frozen=True)
class FcLayer:
    """One of EIE's benchmark layers.

    Attributes:
        name: name in EIE's tables.
        inputs: width of the input.
        outputs: width of the output.
        weight_density: share of non-zero weights as published (rounded to a percent).
        activation_density: share of non-zero activations as published.
        theoretical_us: published theoretical time with 64 PEs at 800 MHz, in microseconds.
        actual_us: published actual time, in microseconds.
    """

    name: str
    inputs: int
    outputs: int
    weight_density: float
    activation_density: float
    theoretical_us: float
    actual_us: float

    @property
    def published_utilisation(self) -> float:
        """Published theoretical over actual time."""
        return self.theoretical_us / self.actual_us


EIE_LAYERS = (
    FcLayer("Alex-6", 9216, 4096, 0.09, 0.351, 28.1, 30.3),
    FcLayer("Alex-7", 4096, 4096, 0.09, 0.353, 11.7, 12.2),
    FcLayer("Alex-8", 4096, 1000, 0.25, 0.375, 8.9, 9.9),
    FcLayer("VGG-6", 25088, 4096, 0.04, 0.183, 28.1, 34.4),
    FcLayer("VGG-7", 4096, 4096, 0.04, 0.375, 7.9, 8.7),
    FcLayer("VGG-8", 4096, 1000, 0.23, 0.411, 7.3, 8.4),
    FcLayer("NT-We", 4096, 600, 0.10, 1.0, 5.2, 8.0),
    FcLayer("NT-Wd", 600, 8791, 0.11, 1.0, 13.0, 13.9),
    FcLayer("NT-LSTM", 1201, 2400, 0.10, 1.0, 6.5, 7.5),
)


@dataclass(frozen=True, eq=False)
class DrawnLayer:
    """A random layer, in which each weight is non-zero independently of the others.

    Attributes:
        inputs: width of the input.
        active: (columns,) indices of the non-zero inputs, ascending; round(activation_density * inputs) of them.
        mask: (outputs, columns) True for non-zero weights of the active columns; no other column is ever read.
    """

    inputs: int
    active: npt.NDArray[np.int64]
    mask: npt.NDArray[np.bool_]


def draw(layer: FcLayer, seed: int, row_spread: float = 0.0) -> DrawnLayer:
    """Draw a random layer of the published size and densities.

    Args:
        layer: gives size and densities.
        seed: the same seed and layer give the same matrix.
        row_spread: coefficient of variation of the rows' densities (gamma distributed); 0 gives all rows the same.
    """
    rng = np.random.default_rng([seed, zlib.crc32(layer.name.encode())])
    columns = round(layer.activation_density * layer.inputs)
    active = np.sort(rng.choice(layer.inputs, columns, replace=False))
    density = np.full(layer.outputs, layer.weight_density)
    if row_spread:
        density = density * rng.gamma(row_spread**-2, row_spread**2, layer.outputs)
    mask = rng.random((columns, layer.outputs), dtype=np.float32) < density.astype(np.float32)
    return DrawnLayer(layer.inputs, active, mask.T)
