"""Networks in integers: the output of conversion, and the input of the encoder and of the golden model.

Everything is exact: weights are small integer codes with 16-bit scales, biases and constants are codes with stated
fractional bits. Rows are outputs and columns are inputs; an LSTM's rows are ordered gate by gate, in Keras's order
i, f, c, o. docs/numerics.md defines what a network computes; `ese_host.ir.golden` computes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Union, get_args

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError, UnsupportedError
from ese_host.ir.activations import Activation, check_cell
from ese_host.ir.fixed import Codes, Fixed
from ese_host.ir.tables import TABLE_SIZE, tanh_table
from ese_host.ir.weight_kinds import WEIGHT_KINDS, WeightKind

Part = Literal["kernel", "recurrent", "projection"]

PARTS: tuple[Part, ...] = get_args(Part)
"""Names of the matrices that a layer may have: the layer's fields that hold them."""
GATES = 4
"""Rows of each cell in an LSTM's kernels: i, f, c, o. One PE holds all four rows of a cell."""
SCALE_BITS = 16
"""Bits of a scale, which is unsigned."""
MAX_THRESHOLD = (1 << 16) - 1
"""Largest threshold of a delta network, as a code."""


@dataclass(frozen=True, eq=False)
class Matrix:
    """A weight matrix: weight[r, c] = level[r, c] * scale[0 if level[r, c] >= 0 else 1, r] * 2**-scale_frac.

    Attributes:
        codes: (rows, columns) codes within the kind's range; the level is the code itself, or `codebook[code]`.
        kind: kind of weight code (`ese_host.ir.weight_kinds`).
        scale: (2, rows) unsigned 16-bit scales of each row, for positive and for negative levels.
        scale_frac: fractional bits of the scales.
        codebook: (16,) 16-bit levels for codebook4, level 0 being zero; None for kinds whose code is the level.
    """

    codes: Codes
    kind: WeightKind
    scale: Codes
    scale_frac: int
    codebook: Codes | None = None

    def __post_init__(self) -> None:
        kind = WEIGHT_KINDS[self.kind]
        if self.codes.ndim != 2 or not self.codes.size:
            raise FormatError(
                f"weight codes have shape {self.codes.shape}; a matrix with at least one weight is needed"
            )
        if not kind.holds(self.codes.min(), self.codes.max()):
            raise FormatError(
                f"{self.kind} codes span {self.codes.min()}..{self.codes.max()}; {kind.low}..{kind.high} are allowed: "
                "quantize first"
            )
        if self.scale.shape != (2, len(self.codes)):
            raise FormatError(f"scales have shape {self.scale.shape}; expected {(2, len(self.codes))}")
        if self.scale.min() < 0 or self.scale.max() >= 1 << SCALE_BITS:
            raise FormatError(f"scales span {self.scale.min()}..{self.scale.max()}; 0..65535 are allowed")
        if (self.codebook is None) != kind.own_level:
            raise FormatError(
                f"{self.kind} weights come {'without' if self.codebook is None else 'with'} a codebook; codebook4 "
                "weights have one, all other kinds have none"
            )
        if self.codebook is not None and (self.codebook.shape != (kind.codebook,) or self.codebook[0] != 0):
            raise FormatError(
                f"a codebook has shape {self.codebook.shape} and begins with {self.codebook.reshape(-1)[:1].tolist()}; "
                f"expected {(kind.codebook,)} levels, the first of them 0"
            )

    @property
    def levels(self) -> Codes:
        """(rows, columns) signed integer levels."""
        return self.codes if self.codebook is None else self.codebook[self.codes]

    @property
    def two_scales(self) -> bool:
        """Whether positive and negative levels have different scales in some row (TTQ with Wp != Wn)."""
        return bool((self.scale[0] != self.scale[1]).any())

    def values(self) -> npt.NDArray[np.float64]:
        """(rows, columns) real weights."""
        levels = self.levels
        scale = np.where(levels >= 0, self.scale[0][:, None], self.scale[1][:, None])
        values: npt.NDArray[np.float64] = np.ldexp((levels * scale).astype(np.float64), -self.scale_frac)
        return values


@dataclass(frozen=True, eq=False)
class Lstm:
    """An LSTM layer as in Keras, optionally with peepholes and a projection (the Google LSTM of ESE).

    Attributes:
        name: the Keras layer's name.
        kernel: (4 * units, inputs) input kernel.
        recurrent: (4 * units, units or projected) recurrent kernel.
        bias: (4 * units,) codes with `bias_frac` fractional bits.
        bias_frac: fractional bits of bias and peepholes.
        gate: activation of i, f and o.
        cell: activation of the candidate and of c.
        source: format of the layer's input.
        state: format of h and c as stored for the next step.
        output: format of o * tanh(c) as the layer's output or the projection's input; None if it stays exact.
        return_sequences: whether the next layer reads the output of every step, or only that of the last.
        peepholes: (3, units) codes for i, f and o, or None.
        projection: (projected, units) matrix, or None; its output has the state's format.
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
    peepholes: Codes | None = None
    projection: Matrix | None = None
    delta_input: int | None = None
    delta_state: int | None = None

    def __post_init__(self) -> None:
        rows = GATES * self.units
        fed_back = self.units if self.projection is None else len(self.projection.codes)
        shapes = {
            "kernel rows": (len(self.kernel.codes), rows),
            "recurrent kernel": (self.recurrent.codes.shape, (rows, fed_back)),
            "bias": (self.bias.shape, (rows,)),
            "peepholes": ((3, self.units) if self.peepholes is None else self.peepholes.shape, (3, self.units)),
        }
        for what, (actual, expected) in shapes.items():
            if actual != expected:
                raise FormatError(f"layer {self.name!r}: {what} is {actual}; expected {expected}")
        for what, threshold in (("delta_input", self.delta_input), ("delta_state", self.delta_state)):
            if threshold is not None and threshold not in range(MAX_THRESHOLD + 1):
                raise FormatError(f"layer {self.name!r}: {what} is {threshold}; 0 to {MAX_THRESHOLD} are allowed")
        check_cell(f"layer {self.name!r}", self.state, self.gate, self.cell)

    @property
    def is_delta(self) -> bool:
        """Whether the layer belongs to a delta network: only changed elements take part in its sums."""
        return self.delta_input is not None or self.delta_state is not None

    @property
    def units(self) -> int:
        """Number of cells."""
        return len(self.bias) // GATES

    def matrices(self) -> dict[Part, Matrix]:
        """The layer's matrices by name; the projection only if there is one."""
        gates: dict[Part, Matrix] = {"kernel": self.kernel, "recurrent": self.recurrent}
        return gates if self.projection is None else {**gates, "projection": self.projection}

    def group(self, part: Part) -> int:
        """Rows of a matrix that share a PE (`ese_host.image.interleave`): a cell's four gates; 1 for a projection."""
        return 1 if part == "projection" else GATES

    @property
    def outputs(self) -> int:
        """Width of the layer's output."""
        return self.recurrent.codes.shape[1]

    @property
    def exact_output(self) -> Fixed:
        """Format of o * tanh(c) before rounding."""
        gate, cell = self.gate.out, self.cell.out
        return Fixed(gate.bits + cell.bits, gate.integer + cell.integer)

    @property
    def product(self) -> Fixed:
        """Format in which o * tanh(c) is passed on: `output` if there is one, else the exact format."""
        return self.exact_output if self.output is None else self.output


@dataclass(frozen=True, eq=False)
class Dense:
    """A fully connected layer.

    Attributes:
        name: the Keras layer's name.
        kernel: (outputs, inputs) weights.
        bias: (outputs,) codes with `bias_frac` fractional bits.
        bias_frac: fractional bits of the bias.
        relu: whether negative sums become zero.
        source: format of the input.
        output: format of the output; None if it is the exact sum.
    """

    name: str
    kernel: Matrix
    bias: Codes
    bias_frac: int
    relu: bool
    source: Fixed
    output: Fixed | None

    def __post_init__(self) -> None:
        if self.bias.shape != (len(self.kernel.codes),):
            raise FormatError(f"layer {self.name!r}: bias is {self.bias.shape}; expected {(len(self.kernel.codes),)}")

    @property
    def outputs(self) -> int:
        """Width of the layer's output."""
        return len(self.bias)

    @cached_property
    def exact_range(self) -> tuple[int, int, int]:
        """Fractional bits of the exact sums before ReLU, and their smallest and largest code.

        The bounds follow from the weights of each row and from the format of the inputs.
        """
        kernel, source = self.kernel, self.source
        frac = max(source.frac + kernel.scale_frac, self.bias_frac)
        positive = np.maximum(kernel.levels, 0).sum(axis=1).astype(object) * kernel.scale[0]
        negative = np.minimum(kernel.levels, 0).sum(axis=1).astype(object) * kernel.scale[1]
        factor = 2 ** (frac - source.frac - kernel.scale_frac)
        bias = self.bias.astype(object) * 2 ** (frac - self.bias_frac)
        low = min((positive * source.low + negative * source.high) * factor + bias)
        high = max((positive * source.high + negative * source.low) * factor + bias)
        return frac, int(low), int(high)

    def matrices(self) -> dict[Part, Matrix]:
        """The kernel by name, in the form of `Lstm.matrices`."""
        return {"kernel": self.kernel}

    def group(self, _part: Part) -> int:
        """Rows of a matrix that share a PE: 1, as rows are independent."""
        return 1


Layer = Union[Lstm, Dense]


@dataclass(frozen=True, eq=False)
class Network:
    """A chain of layers.

    Attributes:
        layers: in the order of computation.
        source: format of the first layer's input.
        head: function that the host applies to the last layer's output: none, or a softmax, which changes no class.
        table: tanh table of `ese_host.ir.tables`, kept with the network so that everyone uses the same one.
    """

    layers: tuple[Layer, ...]
    source: Fixed
    head: Literal["none", "softmax"] = "none"
    table: Codes = field(default_factory=tanh_table)

    def __post_init__(self) -> None:
        if not self.layers:
            raise UnsupportedError("the network has no LSTM or Dense layer; at least one is needed")
        if self.table.shape != (2, TABLE_SIZE):
            raise FormatError(f"the tanh table has shape {self.table.shape}; expected {(2, TABLE_SIZE)}")
        width = self.inputs
        for layer in self.layers:
            if layer.kernel.codes.shape[1] != width:
                raise FormatError(f"layer {layer.name!r} takes {layer.kernel.codes.shape[1]} inputs; {width} arrive")
            width = layer.outputs

    @property
    def inputs(self) -> int:
        """Width of one input frame."""
        return self.layers[0].kernel.codes.shape[1]

    @property
    def outputs(self) -> int:
        """Width of one output frame."""
        return self.layers[-1].outputs

    @property
    def weights(self) -> int:
        """Number of weights in all matrices, zeros included."""
        return sum(matrix.codes.size for layer in self.layers for matrix in layer.matrices().values())

    @property
    def nonzero_weights(self) -> int:
        """Number of weights in all matrices that are not zero."""
        matrices = (matrix for layer in self.layers for matrix in layer.matrices().values())
        return sum(int(np.count_nonzero(matrix.levels)) for matrix in matrices)

    @property
    def output_format(self) -> Fixed | None:
        """Format of the last layer's output; None if that is the exact sum of a Dense layer."""
        final = self.layers[-1]
        if isinstance(final, Dense):
            return final.output
        if final.projection is not None:
            return final.state
        return final.product

    @property
    def every_step(self) -> bool:
        """Whether there is an output for every step, or only for the last."""
        return all(layer.return_sequences for layer in self.layers if isinstance(layer, Lstm))
