# SPDX-License-Identifier: Apache-2.0
"""Summary of the sparsity of any Keras or QKeras model, and of how its weights load the PEs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, cast

import keras
import numpy as np
import numpy.typing as npt

from ese_host.errors import UnsupportedError
from ese_host.image import MAX_PES
from ese_host.ir import WEIGHT_KINDS, WeightKind
from ese_models.masking.rows import gap_bits_of, interleaves, matrix_loads
from ese_models.networks import Kernel, MaskConstraint, prunable


@dataclass(frozen=True)
class KernelSparsity:
    """Sparsity of one kernel, or of one of the two matrices that it becomes on the engine.

    Attributes:
        name: `<layer>/<kernel>`; `<layer>/candidate_kernel` is the part of a recurrent kernel that is a matrix by
            itself in a GRU without `reset_after`.
        shape: (inputs, outputs).
        kept: weights that are not zero after quantization.
        weights: all weights.
        entries_per_pe: (pes,) entries that each PE stores, padding of gaps included; a PE takes one cycle for each.
        padding: entries of all PEs that hold no weight.
        masked: whether a mask keeps pruned weights at zero while the model trains on.
    """

    name: str
    shape: tuple[int, int]
    kept: int
    weights: int
    entries_per_pe: list[int]
    padding: int
    masked: bool

    @property
    def density(self) -> float:
        """Kept share of the weights, 0 to 1."""
        return self.kept / self.weights


@dataclass(frozen=True)
class Sparsity:
    """Sparsity of a model.

    Attributes:
        pes: number of PEs over which the rows are interleaved.
        gap_bits: width of the relative index in bits.
        kernels: the kernels, in the order of the model's layers.
    """

    pes: int
    gap_bits: int
    kernels: tuple[KernelSparsity, ...]

    @property
    def kept(self) -> int:
        """Weights of all kernels that are not zero."""
        return sum(kernel.kept for kernel in self.kernels)

    @property
    def weights(self) -> int:
        """Weights of all kernels."""
        return sum(kernel.weights for kernel in self.kernels)

    @property
    def density(self) -> float:
        """Kept share of the weights of all kernels together, 0 to 1."""
        return self.kept / self.weights

    @property
    def balance(self) -> float:
        """Mean over the PEs of the entries of all kernels, over those that the fullest PE has; 1 is perfect balance.

        The PEs wait for the fullest one after each kernel.
        """
        most = sum(max(kernel.entries_per_pe) for kernel in self.kernels)
        return float(sum(np.mean(kernel.entries_per_pe) for kernel in self.kernels) / most) if most else 1.0

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "kept": self.kept, "weights": self.weights, "balance": self.balance}

    def __str__(self) -> str:
        heads = ("kernel", "shape", "kept", "of", "density", "entries per PE", "masked")
        rows = [heads]
        for item in self.kernels:
            entries = f"{min(item.entries_per_pe):,} to {max(item.entries_per_pe):,}"
            shape, masked = f"{item.shape[0]}x{item.shape[1]}", "yes" if item.masked else "no"
            rows.append(
                (item.name, shape, f"{item.kept:,}", f"{item.weights:,}", f"{item.density:.1%}", entries, masked)
            )
        rows.append(("all", "", f"{self.kept:,}", f"{self.weights:,}", f"{self.density:.1%}", "", ""))
        widths = [max(len(row[place]) for row in rows) for place in range(len(heads))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([*lines, f"balance over {self.pes} PEs: {self.balance:.1%}"])


def sparsity(model: Any, pes: int | None = None, gap_bits: int | None = None) -> Sparsity:
    """The sparsity of a model, kernel by kernel: what is stored, and how it matrix_loads the PEs. Print it for a table.

    Args:
        model: a Keras or QKeras model with Dense, LSTM or GRU layers, or one such layer.
        pes: number of PEs; by default that for which the masks of the model were made, or 8.
        gap_bits: width of the relative index in bits; by default that for which the masks were made, or as many as the
            kernels need.

    Raises:
        UnsupportedError: if the model has no such layer, or the number of PEs is not allowed.
    """
    kernels = prunable(model)
    goals = [kernel.constraint for kernel in kernels.values() if isinstance(kernel.constraint, MaskConstraint)]
    pes = pes or next((goal.pes for goal in goals if goal.pes), None) or 8
    if not 1 <= pes <= MAX_PES:
        raise UnsupportedError(f"pes is {pes}; 1 to {MAX_PES} are allowed")
    stored = stored_codes(model)
    rows = interleaves(model, pes)
    kinds = {name: _kind(kernel) for name, kernel in kernels.items()}
    gap_bits = gap_bits or next((goal.gap_bits for goal in goals if goal.gap_bits), None)
    gap_bits = gap_bits or gap_bits_of(rows, "ternary")
    load = matrix_loads(stored, {name: codes != 0 for name, codes in stored.items()}, rows, kinds, gap_bits)
    found = []
    for kernel in kernels.values():
        masked = isinstance(kernel.constraint, MaskConstraint)
        for name, size in kernel.matrices.items():
            entries, padding = load[name].entries_per_pe, load[name].padding
            shape, kept = (size.columns, size.rows), sum(entries) - padding
            found.append(KernelSparsity(name, shape, kept, size.weights, entries, padding, masked))
    return Sparsity(pes, gap_bits, tuple(found))


def _kind(kernel: Kernel) -> WeightKind:
    """The weight code of a kernel; the one with the shortest gaps if it has no quantizer."""
    kind = getattr(kernel.quantizer, "kind", "ternary")
    return cast("WeightKind", kind) if kind in WEIGHT_KINDS else "ternary"


def stored_codes(model: Any) -> dict[str, npt.NDArray[Any]]:
    """Kernel name -> (outputs, inputs) codes of its weights, or their values if its quantizer does not give codes."""
    return {name: _stored(kernel).T for name, kernel in prunable(model).items()}


def _stored(kernel: Kernel) -> npt.NDArray[Any]:
    """(inputs, outputs) codes of a kernel, or its values."""
    values: npt.NDArray[Any] = keras.ops.convert_to_numpy(kernel.variable)
    if hasattr(kernel.quantizer, "codes_and_scale"):
        codes: npt.NDArray[Any] = kernel.quantizer.codes_and_scale(values)[0]
        return codes
    if kernel.quantizer is not None:
        values = keras.ops.convert_to_numpy(kernel.quantizer(kernel.variable))
    return values
