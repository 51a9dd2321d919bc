# SPDX-License-Identifier: Apache-2.0
"""The summary of a conversion, tensor by tensor: to print, and as JSON in design.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class TensorReport:
    """How one weight tensor was quantized.

    Attributes:
        layer: the layer's name.
        tensor: name of the tensor within the layer, such as kernel, recurrent_kernel or bias.
        quantizer: the quantizer or precision as text; "none" if there is neither.
        kind: weight kind of this tensor before all matrices get one kind (ternary, int4, ... codebook4); fixed16 for a
            bias and for the constants of a normalization.
        shape: the tensor's shape in Keras.
        kept: elements that are not zero after quantization.
        deviation: largest absolute difference between the quantized values of Keras and those of the engine.
        zeroed: elements that are not zero in Keras's float weights, but zero after quantization.
        filled: elements that are zero in Keras's float weights, but not after quantization.
    """

    layer: str
    tensor: str
    quantizer: str
    kind: str
    shape: tuple[int, ...]
    kept: int
    deviation: float
    zeroed: int = 0
    filled: int = 0

    @property
    def density(self) -> float:
        """Share of elements that are not zero."""
        size = 1
        for extent in self.shape:
            size *= extent
        return self.kept / size


@dataclass(frozen=True)
class CheckedTensor:
    """The findings of the self-check for one tensor of the Keras model.

    Attributes:
        layer: the layer that computes it, with those folded into it.
        difference: the largest difference between Keras and the golden program.
        explained: the largest difference that rounding to the formats explains.
    """

    layer: str
    difference: float
    explained: float


@dataclass(frozen=True)
class ConversionSummary:
    """How a whole model was converted.

    Attributes:
        tensors: one report per weight tensor.
        notes: sentences on everything that was rounded or chosen, and on weights that became zero.
        layers: name and Keras class of each layer, and the place where it is computed.
        checked: what the self-check found, in the order of computation; empty if there was none.
        warnings: sentences on what was lost, or may be; each was given as a `ConversionWarning`.
    """

    tensors: tuple[TensorReport, ...]
    notes: tuple[str, ...]
    layers: tuple[tuple[str, str, str], ...] = ()
    checked: tuple[CheckedTensor, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether every weight and bias equals its quantized Keras value (up to the last bit of a float32)."""
        return all(item.deviation == 0 for item in self.tensors)

    def to_json(self) -> dict[str, Any]:
        """The summary as plain values, for JSON."""
        tensors = [{**asdict(item), "shape": list(item.shape), "density": item.density} for item in self.tensors]
        layers = [dict(zip(("layer", "class", "place"), row, strict=True)) for row in self.layers]
        checked = [asdict(item) for item in self.checked]
        texts = {"self_check": checked, "notes": list(self.notes), "warnings": list(self.warnings)}
        return {"exact": self.exact, "layers": layers, "tensors": tensors, **texts}

    def __str__(self) -> str:
        places = [("layer", "class", "place"), *self.layers] if self.layers else []
        rows = [("tensor", "shape", "kind", "kept", "density", "deviation")]
        for item in self.tensors:
            shape = "x".join(map(str, item.shape))
            deviation = "exact" if item.deviation == 0 else f"{item.deviation:.2g}"
            name, density = f"{item.layer}/{item.tensor}", f"{item.density:.1%}"
            rows.append((name, shape, item.kind, str(item.kept), density, deviation))
        checked = [("self-check: Keras and the converted model", "largest difference", "explained by rounding")]
        checked += [(item.layer, f"{item.difference:.2g}", f"{item.explained:.2g}") for item in self.checked]
        tables: list[list[tuple[str, ...]]] = [[*places], [*rows], [*checked] if self.checked else []]
        lines = [line for table in tables if table for line in (*_columns(table), "")][:-1]
        warnings = (f"! {warning}" for warning in self.warnings)
        return "\n".join([*lines, *warnings, *(f"- {note}" for note in self.notes)])


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows of cells as lines of text with aligned columns."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
