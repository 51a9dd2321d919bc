# SPDX-License-Identifier: Apache-2.0
"""Recurrent layers in integers: LSTM and GRU."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ese_host.errors import FormatError
from ese_host.ir.activations import Activation, check_cell, check_gates, unrounded_cell
from ese_host.ir.fixed import Codes, Fixed
from ese_host.ir.network.matrix import Matrix, Part

GATES = 4
"""Rows of sums of each cell of a recurrent layer. One PE holds all four rows of a cell."""
CELL_ROWS = tuple(range(GATES))
"""The rows of a cell to which a matrix adds that adds to all of them, as those of an LSTM do."""
MAX_THRESHOLD = (1 << 16) - 1
"""Largest threshold of a delta network, as a code."""


@dataclass(frozen=True, eq=False)
class Recurrent:
    """The fields that LSTM and GRU layers have in common.

    Attributes:
        name: the Keras layer's name.
        kernel: input kernel, its rows gate by gate.
        recurrent: recurrent kernel, its rows gate by gate.
        bias: (4 * units,) codes with `bias_frac` fractional bits, one for each row of sums.
        bias_frac: fractional bits of the bias, and of an LSTM's peepholes.
        gate: activation of the gates.
        cell: activation of the candidate, and of an LSTM's c.
        source: format of the layer's input.
        state: format of h, and of an LSTM's c, as stored for the next step.
        output: format of the new h as the layer's output or as a projection's input; None if it stays exact.
        return_sequences: whether the next layer reads the output of every step, or only that of the last.
        delta_input: threshold of a delta network, a code in the format `source`: an element of the input takes part in
            a step only if it has changed by more than this. None if every element takes part.
        delta_state: the same for the fed-back output, a code in the format `state`.
    """

    name: str
    kernel: Matrix
    recurrent: Matrix
    bias: Codes
    bias_frac: int
    gate: Activation
    cell: Activation
    source: Fixed
    state: Fixed
    output: Fixed | None
    return_sequences: bool
    delta_input: int | None = None
    delta_state: int | None = None

    def _check(self, shapes: dict[str, tuple[object, object]]) -> None:
        """Refuse shapes that do not belong together, and thresholds that no image holds.

        Args:
            shapes: for each part of the layer what it has, and what is expected.

        Raises:
            FormatError: if a shape or a threshold is wrong.
        """
        for what, (actual, expected) in {**shapes, "bias": (self.bias.shape, (GATES * self.units,))}.items():
            if actual != expected:
                raise FormatError(f"layer {self.name!r}: {what} is {actual}; expected {expected}")
        for what, threshold in (("delta_input", self.delta_input), ("delta_state", self.delta_state)):
            if threshold is not None and threshold not in range(MAX_THRESHOLD + 1):
                raise FormatError(f"layer {self.name!r}: {what} is {threshold}; 0 to {MAX_THRESHOLD} are allowed")

    @property
    def is_delta(self) -> bool:
        """Whether the layer belongs to a delta network: only changed elements take part in its sums."""
        return self.delta_input is not None or self.delta_state is not None

    @property
    def units(self) -> int:
        """Number of cells."""
        return len(self.bias) // GATES

    @property
    def outputs(self) -> int:
        """Width of the layer's output."""
        return self.recurrent.codes.shape[1]

    @property
    def exact_output(self) -> Fixed:
        """Format of the new h before rounding."""
        raise NotImplementedError

    @property
    def product(self) -> Fixed:
        """Format in which the new h is passed on: `output` if there is one, else the exact format."""
        return self.exact_output if self.output is None else self.output

    @property
    def passed_on(self) -> Fixed:
        """Format of the layer's output."""
        return self.product

    def matrices(self) -> dict[Part, Matrix]:
        """The layer's matrices by name; those that not every layer has only if there are any."""
        return {"kernel": self.kernel, "recurrent": self.recurrent}

    def places(self, part: Part) -> tuple[int, ...]:
        """The rows of a cell's four sums to which the blocks of a matrix's rows add (`ese_host.image.interleave`)."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Lstm(Recurrent):
    """An LSTM layer as in Keras, optionally with peepholes and a projection (the Google LSTM of ESE).

    The rows of a cell's sums are Keras's gates i, f, c, o. The new h before rounding is o * tanh(c).

    Attributes:
        kernel: (4 * units, inputs) input kernel.
        recurrent: (4 * units, units or projected) recurrent kernel.
        peepholes: (3, units) codes for i, f and o, or None.
        projection: (projected, units) matrix, or None; its output has the state's format.
    """

    peepholes: Codes | None = None
    projection: Matrix | None = None

    def __post_init__(self) -> None:
        rows = GATES * self.units
        fed_back = self.units if self.projection is None else len(self.projection.codes)
        self._check(
            {
                "kernel rows": (len(self.kernel.codes), rows),
                "recurrent kernel": (self.recurrent.codes.shape, (rows, fed_back)),
                "peepholes": ((3, self.units) if self.peepholes is None else self.peepholes.shape, (3, self.units)),
            }
        )
        check_cell(f"layer {self.name!r}", self.state, self.gate, self.cell)

    @property
    def exact_output(self) -> Fixed:
        """Format of o * tanh(c) before rounding."""
        return self.gate.out.times(self.cell.out)

    @property
    def passed_on(self) -> Fixed:
        """Format of the layer's output: the state's, if it is projected."""
        return self.product if self.projection is None else self.state

    def matrices(self) -> dict[Part, Matrix]:
        """The layer's matrices by name; the projection only if there is one."""
        gates = super().matrices()
        return gates if self.projection is None else {**gates, "projection": self.projection}

    def places(self, part: Part) -> tuple[int, ...]:
        """All four rows of a cell in Keras's order; a projection's rows are single ones."""
        return (0,) if part == "projection" else CELL_ROWS


@dataclass(frozen=True, eq=False)
class Gru(Recurrent):
    """A GRU layer as in Keras, with `reset_after` or without it.

    The rows of a cell's sums are z, r, and the two parts of the candidate: that of the input, and the recurrent one.
    The new h before rounding is z * h + (1 - z) * candidate.

    Attributes:
        kernel: (3 * units, inputs) input kernel; its rows are those of z, r and the candidate, as in Keras.
        recurrent: (3 * units, units) recurrent kernel of z, r and the candidate with `reset_after`, where r multiplies
            the candidate's recurrent sum; (2 * units, units), that of z and r, without.
        bias: (4 * units,) biases of z, r, and of the candidate's input and recurrent part. Keras has two for z and r,
            which are added here; without `reset_after` it has none for the recurrent part, which is zero here.
        candidate: (units, units) recurrent kernel of the candidate without `reset_after`, where it multiplies r * h;
            None with it.
        reset: format to which r * h is rounded without `reset_after`; None with it.
    """

    candidate: Matrix | None = None
    reset: Fixed | None = None

    def __post_init__(self) -> None:
        units, owner = self.units, f"layer {self.name!r}"
        if (self.candidate is None) != (self.reset is None):
            raise FormatError(
                f"{owner}: it has {'no' if self.candidate is None else 'a'} candidate kernel and "
                f"{'no' if self.reset is None else 'a'} format of r * h; a GRU has both (without reset_after) or none"
            )
        shapes: dict[str, tuple[object, object]] = {
            "kernel rows": (len(self.kernel.codes), 3 * units),
            "recurrent kernel": (self.recurrent.codes.shape, ((3 if self.reset_after else 2) * units, units)),
        }
        if self.candidate is not None:
            shapes["candidate kernel"] = (self.candidate.codes.shape, (units, units))
            largest = int(np.abs(self.bias[3 * units :]).max(initial=0))
            shapes["largest bias of the candidate's recurrent part"] = (largest, 0)
        self._check(shapes)
        check_cell(owner, self.state, self.gate, self.cell)
        check_gates(owner, self.gate)

    @property
    def reset_after(self) -> bool:
        """Whether r multiplies the candidate's recurrent sum, and not h before it."""
        return self.candidate is None

    @property
    def exact_output(self) -> Fixed:
        """Format of z * h + (1 - z) * candidate before rounding, with the bits that its values need."""
        frac, low, high = self.exact_range
        bits = max(-low - 1, high).bit_length() + 1
        return Fixed(bits, bits - frac)

    @cached_property
    def exact_range(self) -> tuple[int, int, int]:
        """Fractional bits of z * h + (1 - z) * candidate before rounding, and its smallest and largest code.

        It is between the candidate and the h before, which begins with zero and then is such a value, rounded.
        """
        gate, cell = self.gate.out.frac, self.cell.out.frac
        _, frac = unrounded_cell(self.state, self.gate, self.cell)
        z, ends = self.gate.high, []
        for candidate in (min(self.cell.low, 0), max(self.cell.high, 0)):
            h = int(self.state.quantize(candidate, cell))
            kept, added = z * h << frac - gate - self.state.frac, ((1 << gate) - z) * candidate << frac - gate - cell
            ends += [candidate << frac - cell, kept + added]
        return frac, min(ends), max(ends)

    @property
    def exact_reset(self) -> Fixed:
        """Format of r * h before rounding."""
        return self.gate.out.times(self.state)

    def matrices(self) -> dict[Part, Matrix]:
        """The layer's matrices by name; that of the candidate only without `reset_after`."""
        both = super().matrices()
        return both if self.candidate is None else {**both, "candidate": self.candidate}

    def places(self, part: Part) -> tuple[int, ...]:
        """The rows of a cell to which a matrix adds: the recurrent part of the candidate has a row of its own."""
        if part == "kernel":
            return (0, 1, 2)
        if part == "candidate":
            return (3,)
        return (0, 1, 3) if self.reset_after else (0, 1)
