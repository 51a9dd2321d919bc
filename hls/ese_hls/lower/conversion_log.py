"""Reports and notes for the summary, gathered during a conversion."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ese_hls.quantize import (
    Doubles,
    TensorReport,
    WeightTensor,
    activation_of,
    bias_of,
    codes16,
    described,
    for_element,
    matrix_of,
    with_precision,
)
from ese_host.image import SUM_FRAC
from ese_host.ir import ELEMENT_BITS, Activation, Codes, Fixed, Matrix


@dataclass
class ConversionLog:
    """Reports and notes of a conversion, and the matrices that share an engine.

    Attributes:
        tensors: one report per weight tensor.
        notes: sentences on what was rounded or chosen.
        weights: all matrices, each with its name in messages.
    """

    tensors: list[TensorReport] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    weights: list[tuple[str, Matrix]] = field(default_factory=list)

    def matrix(self, node: Any, tensor: WeightTensor, source: Fixed) -> Matrix:
        """Convert a kernel to a matrix, and report on it.

        Args:
            node: the graph node of the layer.
            tensor: the (inputs, outputs) kernel.
            source: format of the layer's inputs.

        Raises:
            UnsupportedError: if the engine cannot hold the weights.
            MismatchError: if the codes of a quantizer do not stand for the values that it computes.
        """
        tensor = with_precision(node, tensor)
        matrix, report = matrix_of(tensor, SUM_FRAC - source.frac)
        self.tensors.append(report)
        self.weights.append((tensor.where, matrix))
        self._rounded(tensor, report, matrix.kind)
        if report.zeroed:
            self.notes.append(f"{tensor.where}: {report.quantizer} turns {report.zeroed} non-zero weights into zero")
        if report.filled:
            self.notes.append(f"{tensor.where}: {report.quantizer} turns {report.filled} zero weights into non-zero")
        return matrix

    def bias(self, node: Any, tensor: WeightTensor | None, outputs: int) -> tuple[Codes, int]:
        """Convert a bias to 16-bit codes, and report on it.

        Args:
            node: the graph node of the layer.
            tensor: the bias, or None if the layer has none.
            outputs: number of the layer's outputs.

        Returns:
            (outputs,) codes, zeros if there is no bias, and their fractional bits.
        """
        tensor = None if tensor is None else with_precision(node, tensor)
        codes, frac, report = bias_of(tensor, outputs)
        if tensor is not None and report is not None:
            self.tensors.append(report)
            self._rounded(tensor, report, "16 bits")
        return codes, frac

    def _rounded(self, tensor: WeightTensor, report: TensorReport, default: str) -> None:
        """Note that an array without quantizer was rounded to its precision, or else to `default`, and by how much."""
        if tensor.quantizer is None and (report.deviation or tensor.precision):
            form = tensor.described if tensor.precision else default
            self.notes.append(
                f"{tensor.where} has no quantizer; it is rounded to {form}, by at most {report.deviation:.2g}"
            )

    def configured(self, what: str, asked: Fixed) -> Fixed:
        """The format of a vector element for the configured format `asked`; `what` begins the note on the rounding.

        If the element has fewer bits than the configured format, the note is also given as a warning.
        """
        note = f"{what} rounded to {described(asked)}, half to even, and saturated"
        self.notes.append(note)
        form = for_element(asked)
        if form != asked:
            warnings.warn(f"{note}: a vector element has {ELEMENT_BITS} bits", UserWarning, stacklevel=2)
        return form

    def scales(self, owner: str, what: str, exact: Doubles, bits: int = 16, **limits: Any) -> tuple[Codes, int]:
        """Convert the constants of a normalization to codes, report on them, and note their rounding.

        Args:
            owner: name of the layer.
            what: name of the constants in the summary.
            exact: their values.
            bits: bits of a code.
            **limits: further arguments of `codes16`.

        Returns:
            Codes, and their fractional bits.
        """
        codes, frac = codes16(exact, bits=bits, **limits)
        error = float(np.abs(np.ldexp(codes.astype(np.float64), -frac) - exact).max())
        kept = int((codes != 0).sum())
        self.tensors.append(TensorReport(owner, what, "none", "fixed16", exact.shape, kept, error))
        if error:
            self.notes.append(f"layer {owner!r}: {what} rounded to 16 bits, by at most {error:.2g}")
        return codes, frac

    def activation(self, function: Any, where: str) -> Activation:
        """Convert an activation of an LSTM; `where` names it in messages."""
        activation, note = activation_of(function, where)
        if note:
            self.notes.append(note)
        return activation
