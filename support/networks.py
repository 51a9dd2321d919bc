# SPDX-License-Identifier: Apache-2.0
"""Random networks of integers that use the whole range of the formats; Keras is not needed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ese_host.ir import WEIGHT_KINDS, Activation, Codes, Dense, Fixed, Gru, Layer, Lstm, Matrix, Network, WeightKind

Rng = np.random.Generator
Cell = Literal["lstm", "gru", "gru_before"]
"""Kind of a recurrent layer's cells: LSTM, GRU with `reset_after`, and GRU without it."""
SMOOTH8 = (Activation("sigmoid", Fixed(8, 0, signed=False)), Activation("tanh", Fixed(8, 1)))
SMOOTH16 = (Activation("sigmoid", Fixed(16, 0, signed=False)), Activation("tanh", Fixed(16, 1)))
SMOOTH = (Activation("sigmoid", Fixed(17, 1, signed=False)), Activation("tanh", Fixed(18, 2)))
HARD = (
    Activation("hard_sigmoid", Fixed(17, 1, signed=False), 5461, 16384),
    Activation("hard_tanh", Fixed(25, 2), 32768, 0),
)
HARD8 = (
    Activation("hard_sigmoid", Fixed(8, 0, signed=False), 16384, 16384),
    Activation("hard_tanh", Fixed(8, 1), 32768, 0),
)
COARSE = (
    Activation("hard_sigmoid", Fixed(2, 1, signed=False), 16384, 16384),
    Activation("hard_tanh", Fixed(3, 2), 32768, 0),
)
"""A new state of so few fractional bits that a stored output has more."""


@dataclass(frozen=True)
class Spec:
    """Specification of a random network.

    Attributes:
        kind: kind of the weight codes.
        inputs: width of the input.
        units: cells of each recurrent layer.
        cells: kind of the cells of each recurrent layer; those of layers without one are LSTM.
        projection: outputs of each LSTM layer's projection; 0 for no projection.
        peepholes: whether LSTM layers have peepholes.
        outputs: width of the last fully connected layer; 0 for no such layer.
        hidden: widths of the fully connected layers with ReLU before it.
        delta: thresholds of inputs and state of delta layers, as codes; None for no threshold.
        activations: functions of the gates and of the cell.
        sequences: whether the last recurrent layer returns all steps.
        two_scales: whether positive and negative levels have different scales.
        density: share of non-zero weights of a random pattern.
        pattern: placement of the non-zero weights; see `mask`.
        source: format of the input.
        state: format of the state of recurrent layers.
        output: format of the outputs of GRU layers; None to give the exact output.
        reset: format of r * h of GRU layers without `reset_after`; None for the finest one of at most 16 bits.
        stored: format of the outputs of hidden layers.
    """

    kind: WeightKind = "ternary"
    inputs: int = 5
    units: tuple[int, ...] = (6,)
    cells: tuple[Cell, ...] = ()
    projection: int = 0
    peepholes: bool = False
    outputs: int = 3
    hidden: tuple[int, ...] = ()
    delta: tuple[int | None, int | None] = (None, None)
    activations: tuple[Activation, Activation] = SMOOTH8
    sequences: bool = False
    two_scales: bool = False
    density: float = 0.3
    pattern: str = "random"
    source: Fixed = Fixed(16, 2)
    state: Fixed = Fixed(16, 4)
    output: Fixed | None = Fixed(16, 1)
    reset: Fixed | None = None
    stored: Fixed = Fixed(16, 6, signed=False)


def mask(rng: Rng, rows: int, columns: int, spec: Spec) -> Codes:
    """Places of the non-zero weights: (rows, columns) of zeros and ones.

    The pattern "random" keeps a share `spec.density`; "full" keeps everything, "nearly" 97%; "column", "row" and
    "corner" keep only one column, one row or one weight; "mixed" is "full" or "random" by chance, matrix by matrix.

    Args:
        rng: source of random numbers.
        rows: rows of the matrix.
        columns: columns of the matrix.
        spec: gives pattern and density.
    """
    pattern = str(rng.choice(["random", "full"])) if spec.pattern == "mixed" else spec.pattern
    result = rng.random((rows, columns)) < (0.97 if pattern == "nearly" else spec.density)
    if pattern not in ("random", "nearly"):
        result[:] = pattern == "full"
    if pattern == "column":
        result[:, rng.integers(columns)] = True
    elif pattern == "row":
        result[rng.integers(rows)] = True
    elif pattern == "corner":
        result[-1, -1] = True
    return result.astype(np.int64)


def matrix(rng: Rng, rows: int, columns: int, spec: Spec) -> Matrix:
    """A random matrix with one scale for each row.

    Args:
        rng: source of random numbers.
        rows: rows of the matrix.
        columns: columns of the matrix.
        spec: gives the kind of codes, the places of the weights, and whether there are two scales.
    """
    where = mask(rng, rows, columns, spec)
    codebook, frac = None, 12
    if spec.kind == "ternary":
        codes = where * rng.choice([-1, 1], where.shape)
    elif spec.kind == "codebook4":
        codes = where * rng.integers(1, 16, where.shape)
        codebook = rng.integers(-(1 << 15), 1 << 15, 16)
        codebook[0] = 0
        frac = 20
    else:
        low, high = WEIGHT_KINDS[spec.kind].low, WEIGHT_KINDS[spec.kind].high
        codes = where * rng.choice([low, low + 1, low * 3 // 8, -1, 1, 2, high], where.shape)
        frac = min(11 + high.bit_length(), 21)
    scale = rng.integers(0, 600, (1, rows)) + np.array([[0], [40 * spec.two_scales]])
    return Matrix(codes, spec.kind, scale.astype(np.int64), frac, codebook)


def recurrent(
    rng: Rng, name: str, cell: Cell, inputs: int, units: int, source: Fixed, spec: Spec, last: bool
) -> Lstm | Gru:
    """A random recurrent layer.

    Args:
        rng: source of random numbers.
        name: of the layer.
        cell: kind of its cells.
        inputs: width of its input.
        units: its cells.
        source: format of its input.
        spec: everything else.
        last: whether no recurrent layer follows it.
    """
    common: dict[str, Any] = {
        "name": name,
        "bias_frac": 12,
        "gate": spec.activations[0],
        "cell": spec.activations[1],
        "source": source,
        "state": spec.state,
        "return_sequences": spec.sequences or not last,
        "delta_input": spec.delta[0],
        "delta_state": spec.delta[1],
    }
    if cell == "lstm":
        return lstm(rng, inputs, units, spec, common)
    return gru(rng, cell == "gru", inputs, units, spec, common)


def lstm(rng: Rng, inputs: int, units: int, spec: Spec, common: dict[str, Any]) -> Lstm:
    """A random LSTM layer.

    Args:
        rng: source of random numbers.
        inputs: width of its input.
        units: its cells.
        spec: its weights, peepholes and projection.
        common: everything else.
    """
    fed_back = spec.projection or units
    wide = sum(activation.out.bits for activation in spec.activations) > 16
    return Lstm(
        kernel=matrix(rng, 4 * units, inputs, spec),
        recurrent=matrix(rng, 4 * units, fed_back, spec),
        bias=rng.integers(-(1 << 13), 1 << 13, 4 * units),
        output=Fixed(16, 1) if wide else None,
        peepholes=rng.integers(-(1 << 13), 1 << 13, (3, units)) if spec.peepholes else None,
        projection=matrix(rng, spec.projection, units, spec) if spec.projection else None,
        **common,
    )


def gru(rng: Rng, reset_after: bool, inputs: int, units: int, spec: Spec, common: dict[str, Any]) -> Gru:
    """A random GRU layer.

    Args:
        rng: source of random numbers.
        reset_after: whether the reset gate multiplies the candidate's sum, and not the state.
        inputs: width of its input.
        units: its cells.
        spec: its weights, and the formats of its output and of r * h.
        common: everything else.
    """
    bias = rng.integers(-(1 << 13), 1 << 13, 4 * units)
    if not reset_after:
        bias[3 * units :] = 0
    finest = Fixed(min(spec.state.bits + spec.activations[0].out.frac, 16), spec.state.integer)
    return Gru(
        kernel=matrix(rng, 3 * units, inputs, spec),
        recurrent=matrix(rng, (3 if reset_after else 2) * units, units, spec),
        bias=bias,
        output=spec.output,
        candidate=None if reset_after else matrix(rng, units, units, spec),
        reset=None if reset_after else spec.reset or finest,
        **common,
    )


def dense(rng: Rng, name: str, inputs: int, outputs: int, source: Fixed, spec: Spec, output: Fixed | None) -> Dense:
    """A random fully connected layer, with ReLU if its output is stored.

    Args:
        rng: source of random numbers.
        name: of the layer.
        inputs: width of its input.
        outputs: width of its output.
        source: format of its input.
        spec: everything else.
        output: format in which its output is stored; None to give the exact output.
    """
    bias = rng.integers(-(1 << 13), 1 << 13, outputs)
    return Dense(name, matrix(rng, outputs, inputs, spec), bias, 12, output is not None, source, output)


def network(rng: Rng, spec: Spec) -> Network:
    """A random network of recurrent layers, hidden fully connected layers with ReLU, and a last layer, as specified."""
    layers: list[Layer] = []
    width, source = spec.inputs, spec.source
    for index, units in enumerate(spec.units):
        cell: Cell = spec.cells[index] if index < len(spec.cells) else "lstm"
        name = f"{'lstm' if cell == 'lstm' else 'gru'}{index}"
        layer = recurrent(rng, name, cell, width, units, source, spec, index == len(spec.units) - 1)
        layers.append(layer)
        width, source = layer.outputs, layer.passed_on
    for index, rows in enumerate(spec.hidden):
        layers.append(dense(rng, f"hidden{index}", width, rows, source, spec, spec.stored))
        width, source = rows, spec.stored
    if spec.outputs:
        layers.append(dense(rng, "classes", width, spec.outputs, source, spec, None))
    return Network(tuple(layers), spec.source)


def large_sums(rng: Rng) -> Network:
    """Two Dense layers whose sums may be so large that they have fewer than 36 fractional bits."""
    source, hidden = Fixed(16, 6), Fixed(16, 12)
    levels = [rng.integers(-(1 << 15), 1 << 15, shape) for shape in ((6, 200), (3, 6))]
    kernels = [Matrix(part, "int16", rng.integers(1, 4, (2, len(part))), 12) for part in levels]
    biases = [rng.integers(-(1 << 15), 1 << 15, len(part)) for part in levels]
    first = Dense("first", kernels[0], biases[0], 4, True, source, hidden)
    return Network((first, Dense("last", kernels[1], biases[1], 2, False, hidden, None)), source)


def inputs(
    rng: Rng, net: Network, sequences: int, steps: int, rails: bool = False, density: float = 1.0, moves: float = 1.0
) -> Codes:
    """Random input codes of a network, (sequences, steps, inputs).

    Args:
        rng: source of random numbers.
        net: the network whose input format and width are used.
        sequences: number of sequences.
        steps: steps of each sequence.
        rails: whether to use only the two extreme codes of the format.
        density: share of the codes that is not zero.
        moves: share of the codes that differs from the step before.
    """
    low, high = net.source.low, net.source.high
    shape = (sequences, steps, net.inputs)
    codes: Codes = rng.choice([low, high], shape) if rails else rng.integers(low, high + 1, shape)
    codes = np.where(rng.random(shape) < density, codes, 0)
    for step in range(1, steps):
        stays = rng.random((sequences, net.inputs)) >= moves
        codes[:, step] = np.where(stays, codes[:, step - 1], codes[:, step])
    return codes


def widened(spec: Spec, **changes: object) -> Spec:
    """A specification with some fields changed."""
    return replace(spec, **changes)  # type: ignore[arg-type]
