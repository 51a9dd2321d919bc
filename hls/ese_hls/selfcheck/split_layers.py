# SPDX-License-Identifier: Apache-2.0
"""Dense layers that the engine computes in parts (`ese_hls.lower.partition.split_dense`), put together again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ese_hls.lower import SplitLayer
from ese_hls.quantize import Doubles
from ese_host.errors import MismatchError
from ese_host.ir import Codes
from ese_host.ir.program import ProgramRun


@dataclass(frozen=True, eq=False)
class WholeMatrix:
    """A matrix whose levels may have more than 16 bits, with what the checks read of `ese_host.ir.Matrix`.

    Attributes:
        levels: (rows, columns) levels.
        scale: (2, rows) scales, for positive and for negative levels.
        scale_frac: fractional bits of the scales.
    """

    levels: Codes
    scale: Codes
    scale_frac: int

    @property
    def codes(self) -> Codes:
        """(rows, columns) levels times scales."""
        codes: Codes = self.levels * np.where(self.levels >= 0, self.scale[0][:, None], self.scale[1][:, None])
        return codes

    def values(self) -> Doubles:
        """(rows, columns) real weights."""
        return np.ldexp(self.codes.astype(np.float64), -self.scale_frac)


@dataclass(frozen=True, eq=False)
class WholeDense:
    """A layer that reads all bits, with what the checks read of `ese_host.ir.Dense`.

    Attributes:
        kernel: its matrix.
        bias: (outputs,) codes.
        bias_frac: their fractional bits.
    """

    kernel: WholeMatrix
    bias: Codes
    bias_frac: int

    @property
    def outputs(self) -> int:
        """Width of the layer's output."""
        return len(self.bias)


def whole_layer(split: SplitLayer, finished: ProgramRun) -> WholeDense:
    """The layer whose parts a program computes, from the constants of the program.

    Args:
        split: the names of its tensors.
        finished: a run of the program.

    Raises:
        MismatchError: if the sums of the run are not those of the whole layer: every part is exact.
    """
    steps: dict[str, Any] = {step.target: step for step in finished.program.steps}
    scaled = steps[split.scaled]
    parts = steps[scaled.source].network.layers[0].kernel
    source, total = finished.tensors[split.source], finished.tensors[split.total]
    outputs, inputs = total.tensor.width, source.tensor.width
    rows = parts.levels[: len(parts.levels) // 2, :inputs].reshape(-1, outputs, inputs)
    levels = np.left_shift(rows[0], split.finer) + (rows[1] if len(rows) > 1 else 0)
    kernel = WholeMatrix(levels, parts.scale[:, :outputs], parts.scale_frac + split.finer)
    bias, bias_frac = scaled.offset[:outputs], scaled.offset_frac
    frac, of_sums = total.tensor.frac, source.tensor.frac + kernel.scale_frac
    expected = np.left_shift(source.codes @ kernel.codes.T, frac - of_sums) + np.left_shift(bias, frac - bias_frac)
    wrong = (expected != total.codes) & total.inside
    if wrong.any():
        sample, step, element = (int(i) for i in np.argwhere(wrong)[0])
        raise MismatchError(
            f"layer {split.name!r}: at sample {sample}, step {step}, element {element} its parts add up to "
            f"{np.ldexp(float(total.codes[sample, step, element]), -frac):.9g} instead of "
            f"{np.ldexp(float(expected[sample, step, element]), -frac):.9g}: this is a fault of the conversion, please "
            "report it"
        )
    return WholeDense(kernel, bias, bias_frac)
