# SPDX-License-Identifier: Apache-2.0
"""Reports and notes for the summary, gathered during a conversion."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ese_hls.quantize import (
    BIAS_BITS,
    Doubles,
    Place,
    RowsOfBias,
    TensorReport,
    WeightTensor,
    activation_of,
    bias_of,
    codes16,
    key_of,
    matrix_of,
    narrowed,
    with_precision,
)
from ese_hls.warnings import ConversionWarning
from ese_host.errors import UnsupportedError
from ese_host.image import SUM_FRAC
from ese_host.ir import ELEMENT_BITS, Activation, Codes, Fixed, Matrix

LAST_BIT = 2.0**-15 * (1 + 2.0**-15)
"""Half of the last bit of 16, as a share of the largest value: losses up to this are notes, larger ones warnings.

It is a little more, because a largest value that is rounded up to a power of two takes one bit more."""


@dataclass
class ConversionLog:
    """Reports and notes of a conversion, and the matrices that share an engine.

    Attributes:
        tensors: one report per weight tensor.
        notes: sentences on what was rounded or chosen.
        weights: all matrices, each with its name in messages.
        warnings: what was lost, or may be lost at run time.
    """

    tensors: list[TensorReport] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    weights: list[tuple[str, Matrix]] = field(default_factory=list)
    warnings: list[ConversionWarning] = field(default_factory=list)

    def warn(self, message: str, layer: str = "", key: str = "", loss: float | None = None) -> None:
        """Add a warning. It is given when the conversion is complete (`publish`).

        Args:
            message: one or two sentences that name the layer and the key.
            layer: name of the layer; "" if the whole model is meant.
            key: the configuration key that would help; "" if there is none.
            loss: the largest difference that follows; 0 if Keras computes with the same values; None if the inputs
                decide it.
        """
        self.warnings.append(ConversionWarning(message, layer, key, loss))

    def join(self, other: ConversionLog) -> None:
        """Take over what another log has gathered."""
        for mine, others in zip(vars(self).values(), vars(other).values(), strict=True):
            mine.extend(others)

    def publish(self, strict: bool) -> None:
        """Give all warnings to the user.

        Raises:
            UnsupportedError: if `strict`, and something is lost, or may be.
        """
        lost = [warning for warning in self.warnings if warning.loss != 0]
        if strict and lost:
            more = f" (and {len(lost) - 1} more losses, each a warning without strict=True)" if len(lost) > 1 else ""
            raise UnsupportedError(f"{lost[0]}{more}")
        for warning in self.warnings:
            warnings.warn(warning, stacklevel=2)

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
        self._rounded(tensor, report, "16 bits for each output")
        self._changed_zeros(tensor, report)
        return matrix

    def bias(
        self,
        node: Any,
        tensor: WeightTensor | None,
        outputs: int,
        bits: int = BIAS_BITS,
        rows: RowsOfBias | None = None,
    ) -> tuple[Codes, int]:
        """Convert a bias to codes, and report on it.

        Args:
            node: the graph node of the layer.
            tensor: the bias, or None if the layer has none.
            outputs: number of the layer's outputs.
            bits: bits of a code.
            rows: gives the biases that the engine adds, if these are not the elements of the array.

        Returns:
            (outputs,) codes, zeros if there is no bias, and their fractional bits.
        """
        tensor = None if tensor is None else with_precision(node, tensor)
        codes, frac, report = bias_of(tensor, outputs, bits, rows)
        if tensor is not None and report is not None:
            self.tensors.append(report)
            self._rounded(tensor, report, f"{bits} bits", rows)
        return codes, frac

    def _changed_zeros(self, tensor: WeightTensor, report: TensorReport) -> None:
        """Warn of weights that became zero, or no longer are; without a loss if the model's own quantizer did it."""
        if tensor.quantizer is None and tensor.precision is None:
            return  # 16 bits: only what is smaller than half of the last bit becomes zero
        own = tensor.quantizer is not None
        key = "" if own else key_of(tensor.layer, tensor.precision_name)
        way = "" if own else f"; more fractional bits in {key} keep them"
        changes = ((report.zeroed, "non-zero weights into zero"), (report.filled, "zero weights into non-zero"))
        for count, change in changes:
            if count:
                text = f"{tensor.where}: {report.quantizer} turns {count} {change}{way}"
                self.warn(text, tensor.layer, key, 0.0 if own else report.deviation)

    def deviates(self, layer: str, tensor: str, more: float) -> None:
        """Add to the deviation that the report on a tensor names.

        Args:
            layer: name of the layer.
            tensor: name of the tensor within the layer.
            more: the further deviation.
        """
        self.tensors = [
            replace(item, deviation=item.deviation + more) if (item.layer, item.tensor) == (layer, tensor) else item
            for item in self.tensors
        ]

    def _rounded(
        self, tensor: WeightTensor, report: TensorReport, default: str, rows: RowsOfBias | None = None
    ) -> None:
        """Note, or warn, that the codes of an array differ from its values, and by how much.

        An array without quantizer is rounded to its precision, or else to `default`.
        """
        loss, values, form = report.deviation, tensor.values, tensor.precision
        held = values if rows is None else rows(np.asarray(values, np.float64))
        large = loss > LAST_BIT * float(np.abs(held).max(initial=0.0))
        if tensor.quantizer is not None:
            if large:
                text = f"{tensor.where}: {report.quantizer} has scales of more than 16 bits; they are rounded, "
                self.warn(f"{text}and weights change by at most {loss:.2g}", tensor.layer, "", loss)
            return
        text = f"{tensor.where} has no quantizer; it is rounded to {form or default}, by at most {loss:.2g}"
        key = key_of(tensor.layer, tensor.precision_name)
        if form is not None and not np.array_equal(values, np.clip(values, *form.reach)):
            text += f": values from {values.min():.4g} to {values.max():.4g} are clipped; give {key} more "
            self.warn(f"{text}integer bits, or leave it out", tensor.layer, key, loss)
        elif form is None and large:
            self.warn(text, tensor.layer, key, loss)
        elif form is not None or loss:
            self.notes.append(text)

    def configured(self, what: str, asked: Fixed, layer: str, key: str, bits: int = ELEMENT_BITS) -> Fixed:
        """The format that the engine reads for a configured one; a note says so, or a warning if it has fewer bits.

        Args:
            what: how the note begins.
            asked: the configured format.
            layer: name of the layer.
            key: the key that sets the format.
            bits: bits that the engine reads: a vector element's, or more in two of them.
        """
        form = narrowed(asked, bits)
        instead = "" if form == asked else f"instead of {asked} "
        note = f"{what} rounded to {form} {instead}of the configuration, half to even, and saturated"
        if form == asked:
            self.notes.append(note)
        else:
            loss = None if form.integer < asked.integer else 2.0 ** -(form.frac + 1)
            read = "a vector element has" if bits == ELEMENT_BITS else "a Dense layer reads, in two parts,"
            text = f"{note}: {read} {bits} bits; {key} sets other ones"
            self.warn(text, layer, key, loss)
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
        text = f"layer {owner!r}: {what} rounded to {bits} bits, by at most {error:.2g}"
        if error > LAST_BIT * float(np.abs(exact).max(initial=0.0)):
            self.warn(text, owner, "", error)
        elif error:
            self.notes.append(text)
        return codes, frac

    def activation(self, function: Any, where: str, place: Place, most_frac: int = 48) -> Activation:
        """Convert an activation of a recurrent layer.

        Args:
            function: the function or quantizer.
            where: names it in messages.
            place: whether it is that of the gates or of the cell.
            most_frac: most fractional bits of a function without quantizer.
        """
        activation, notes = activation_of(function, where, place, most_frac)
        self.notes += notes
        return activation
