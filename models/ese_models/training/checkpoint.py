# SPDX-License-Identifier: Apache-2.0
"""Checkpoint of a training stage: everything that changes in training, written after each epoch and read to resume."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ese_host.errors import FormatError
from ese_host.files import write_file
from ese_models.networks import constraints


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """State of a stage in a file: variables of network and optimizer, masks, and the source of random numbers.

    Attributes:
        path: the file, an .npz archive.
        model: the network.
        optimizer: of the network.
        rng: source of the order of samples and of their augmentation.
    """

    path: Path
    model: Any
    optimizer: Any
    rng: np.random.Generator

    def read(self) -> int:
        """Set the state to that of the file, and return its finished epochs; without a file, 0, and nothing changes.

        Raises:
            FormatError: if the file is of another network.
        """
        if not self.path.is_file():
            return 0
        variables = list(self._variables())
        with np.load(self.path, allow_pickle=False) as arrays:
            values = [arrays[f"variable{index}"] for index in range(len(arrays.files) - 1)]
            state = json.loads(str(arrays["state"]))
        if [value.shape for value in values] != [tuple(variable.shape) for variable in variables]:
            raise FormatError(f"{self.path} is a checkpoint of another network; remove it and train again")
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        self.rng.bit_generator.state = state["rng"]
        return int(state["epochs"])

    def write(self, epochs: int) -> None:
        """Write the state after a number of epochs."""
        arrays = {f"variable{index}": keras.ops.convert_to_numpy(v) for index, v in enumerate(self._variables())}
        state = json.dumps({"epochs": epochs, "rng": self.rng.bit_generator.state})
        buffer = io.BytesIO()  # the file gets its name when it is complete
        np.savez(buffer, state=np.array(state), **arrays)
        write_file(self.path, buffer.getvalue())

    def _variables(self) -> Iterator[Any]:
        yield from self.model.variables
        yield from self.optimizer.variables
        for constraint in constraints(self.model).values():
            yield constraint.variable
