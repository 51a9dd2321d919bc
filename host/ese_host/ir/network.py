"""A network in integers: what passes from conversion to the encoder and to the golden model.

Everything is exact: weights are small integer codes with 16-bit scales, biases and constants are codes of a stated
format. Rows are outputs, columns inputs; an LSTM's rows stand in Keras's gate order i, f, c, o, gate by gate.
docs/numerics.md says what a network computes; `ese_host.ir.golden` computes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Union, get_args

import numpy as np
import numpy.typing as npt

from ese_host.errors import FormatError, UnsupportedError
from ese_host.ir.activations import Activation
from ese_host.ir.fixed import Codes, Fixed
from ese_host.ir.tables import TABLE_SIZE, tanh_table
from ese_host.ir.weight_kinds import WEIGHT_KINDS, WeightKind

Part = Literal["kernel", "recurrent", "projection"]

PARTS: tuple[Part, ...] = get_args(Part)
"""Matrices that a layer may have, by the fields that hold them."""
GATES = 4
"""Rows that each cell has in an LSTM's kernels: i, f, c, o. One PE holds all of a cell's."""
SCALE_BITS = 16
MAX_THRESHOLD = (1 << 16) - 1


@dataclass(frozen=True, eq=False)
class Matrix:
    """A weight matrix: weight[r, c] = level[r, c] * scale[0 if level >= 0 else 1, r] * 2**-scale_frac.

    Attributes:
        codes: (rows, columns) codes within the kind's range; the level is the code itself, or `codebook[code]`.
        kind: what a code stands for (`ese_host.ir.weight_kinds`).
        scale: (2, rows) unsigned 16-bit scales of the positive and of the negative sum.
        scale_frac: fractional bits of the scales.
        codebook: (16,) 16-bit levels for codebook4, entry 0 being zero; None where the code is its own level.
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
            raise FormatError(f"{self.kind} weights with codebook {self.codebook}; codebook4 has one, the others none")
        if self.codebook is not None and (self.codebook.shape != (kind.codebook,) or self.codebook[0] != 0):
            raise FormatError(f"a codebook has {kind.codebook} levels and level 0 is zero")

    @property
    def levels(self) -> Codes:
        """(rows, columns) integer levels, signed."""
        return self.codes if self.codebook is None else self.codebook[self.codes]

    @property
    def two_scales(self) -> bool:
        """Whether positive and negative sums have different scales in some row (TTQ with Wp != Wn)."""
        return bool((self.scale[0] != self.scale[1]).any())

    def values(self) -> npt.NDArray[np.float64]:
        """(rows, columns) real weights."""
        levels = self.levels
        scale = np.where(levels >= 0, self.scale[0][:, None], self.scale[1][:, None])
        values: npt.NDArray[np.float64] = np.ldexp((levels * scale).astype(np.float64), -self.scale_frac)
        return values


@dataclass(frozen=True, eq=False)
class Lstm:
    """An LSTM layer: Keras's, with the peepholes and the projection of ESE's Google LSTM where given.

    Attributes:
        name: the Keras layer's name.
        kernel: (4 * units, inputs) input kernel.
        recurrent: (4 * units, units or projected) recurrent kernel.
        bias: (4 * units,) codes with `bias_frac` fractional bits.
        bias_frac: fractional bits of bias and peepholes.
        gate: activation of i, f, o. cell: activation of the candidate and of c.
        source: format of the layer's input. state: format of h and c when they are read at the next step.
        output: format of the layer's output; None where it is the exact product o * tanh(c).
        return_sequences: whether the next layer sees every step or the last alone.
        peepholes: (3, units) codes for i, f, o, or None.
        projection: (projected, units) matrix, or None; its output has the state's format.
        delta_input, delta_state: a delta network's thresholds, codes of `source` and of `state`: an input or a fed-back
            output takes part in a step only where it has changed by more than this; None where all do.
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
        for what, (found, expected) in shapes.items():
            if found != expected:
                raise FormatError(f"layer {self.name!r}: {what} is {found}; expected {expected}")
        for what, threshold in (("delta_input", self.delta_input), ("delta_state", self.delta_state)):
            if threshold is not None and threshold not in range(MAX_THRESHOLD + 1):
                raise FormatError(f"layer {self.name!r}: {what} is {threshold}; 0 to {MAX_THRESHOLD} are allowed")

    @property
    def is_delta(self) -> bool:
        """Whether only changes take part in its sums."""
        return self.delta_input is not None or self.delta_state is not None

    @property
    def units(self) -> int:
        """Number of cells."""
        return len(self.bias) // GATES

    def matrices(self) -> dict[Part, Matrix]:
        """Its matrices by part; the projection is there where the layer has one."""
        gates: dict[Part, Matrix] = {"kernel": self.kernel, "recurrent": self.recurrent}
        return gates if self.projection is None else {**gates, "projection": self.projection}

    def group(self, part: Part) -> int:
        """Rows of a part that belong together in one PE (`ese_host.image.interleave`): a cell's gates, else one."""
        return 1 if part == "projection" else GATES

    @property
    def outputs(self) -> int:
        """Width of the layer's output."""
        return self.recurrent.codes.shape[1]

    @property
    def exact_output(self) -> Fixed:
        """Format of the unrounded o * tanh(c)."""
        gate, cell = self.gate.out, self.cell.out
        return Fixed(gate.bits + cell.bits, gate.integer + cell.integer)

    @property
    def product(self) -> Fixed:
        """Format of o * tanh(c) as it is passed on: `output`, or the exact one."""
        return self.exact_output if self.output is None else self.output


@dataclass(frozen=True, eq=False)
class Dense:
    """A fully connected layer.

    Attributes:
        name: the Keras layer's name.
        kernel: (outputs, inputs).
        bias: (outputs,) codes with `bias_frac` fractional bits.
        relu: whether negative sums become zero.
        source: format of the input.
        output: format of the output; None where it is the exact sum.
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

    def matrices(self) -> dict[Part, Matrix]:
        """Its one matrix by part, as an LSTM's."""
        return {"kernel": self.kernel}

    def group(self, _part: Part) -> int:
        """Rows that belong together in one PE: each by itself."""
        return 1


Layer = Union[Lstm, Dense]


@dataclass(frozen=True, eq=False)
class Network:
    """Layers in the order of computation; the first reads `source` codes.

    `head` is what the host applies to the last layer's exact output: nothing, or a softmax, which changes no class.
    `table` is the tanh table of `ese_host.ir.tables`, kept with the network so that it is the same everywhere.
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
        """Weights of all matrices, zeros among them."""
        return sum(matrix.codes.size for layer in self.layers for matrix in layer.matrices().values())

    @property
    def nonzero_weights(self) -> int:
        """Weights of all matrices that are not zero."""
        found = (matrix.levels for layer in self.layers for matrix in layer.matrices().values())
        return sum(int(np.count_nonzero(levels)) for levels in found)

    @property
    def output_format(self) -> Fixed | None:
        """Format of the last layer's output; None where it is the exact sum of a Dense layer."""
        final = self.layers[-1]
        if isinstance(final, Dense):
            return final.output
        if final.projection is not None:
            return final.state
        return final.product

    @property
    def every_step(self) -> bool:
        """Whether an output leaves at every step, or after the last alone."""
        return all(layer.return_sequences for layer in self.layers if isinstance(layer, Lstm))
