# SPDX-License-Identifier: Apache-2.0
"""Puts the matrices, formats and constants of a network into the phases of one step (engine.md, "Schedule")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from ese_host.errors import UnsupportedError
from ese_host.image import SUM_FRAC, Interleave, Mode, Phase, StepPlan, plan_step, sizes_of, sum_frac
from ese_host.ir import (
    ELEMENT_BITS,
    GATES,
    PARTS,
    Codes,
    Dense,
    Fixed,
    Gru,
    Layer,
    Lstm,
    Matrix,
    Network,
    Part,
    Recurrent,
)


@dataclass(frozen=True)
class MatrixPhase:
    """A phase, with the matrix and the parameters that its memories are filled with.

    Attributes:
        phase: the record of the phase; base addresses that depend on the entries are still zero.
        matrix: the weights of the phase.
        interleave: the rows of each PE.
        source: format of the vector that is multiplied.
        layer: the layer whose parameters the element-wise stage uses, or None if no stage follows the matrix.
    """

    phase: Phase
    matrix: Matrix
    interleave: Interleave
    source: Fixed
    layer: Layer | None

    @property
    def part(self) -> Part:
        """Which matrix of its layer it is."""
        return PARTS[self.phase.part]

    def columns(self, count: int) -> tuple[int, ...]:
        """The columns of a stage's scales, of which there are `count`, to which the blocks of the rows belong."""
        return self.interleave.places if count > 1 else (0,)

    def is_alone(self, column: int) -> bool:
        """Whether it is the only matrix of a GRU that adds to a column: the fourth has a shift of its own."""
        return column == 3 and len(self.interleave.places) < GATES


@dataclass(frozen=True)
class Schedule:
    """The plan of one step, and its phases with their matrices."""

    plan: StepPlan
    phases: tuple[MatrixPhase, ...]

    def summed_before(self, item: MatrixPhase) -> list[MatrixPhase]:
        """The matrices that are summed before the element-wise stage of `item`.

        They are all but the projection's for the cells of a recurrent layer, and the matrix of `item` itself otherwise.
        """
        if not item.phase.has("lstm"):
            return [item]
        return [p for p in self.phases if p.phase.layer == item.phase.layer and p.part != "projection"]

    def final_of(self, reset: MatrixPhase) -> MatrixPhase:
        """The phase with the stage that completes the cells of which another phase's stage makes r * h."""
        layer = reset.phase.layer
        return next(p for p in self.phases if p.phase.layer == layer and p.phase.has("lstm") and not p.phase.resets)


def banks_needed(network: Network) -> Literal[1, 2, 4]:
    """Number of accumulators per row that the scales and formats need (docs/reference/numerics.md, "Sums")."""
    signs = 2 if any(m.two_scales for layer in network.layers for m in layer.matrices().values()) else 1
    parts = 1 if all(_shares(layer) for layer in network.layers if isinstance(layer, Recurrent)) else 2
    banks: dict[int, Literal[1, 2, 4]] = {1: 1, 2: 2, 4: 4}
    return banks[signs * parts]


def schedule(network: Network, pes: int, banks: int, mode: Mode = "stream", window: int = 0) -> Schedule:
    """Make the phases of one step, with everything that does not depend on the entries.

    Args:
        network: the network.
        pes: number of PEs.
        banks: accumulators per row.
        mode: "stream" or "skip".
        window: columns of the activation window; 0 for none.

    Raises:
        UnsupportedError: if a scale, bias or format is outside the range of the sums, the engine cannot run the layers
            in this order, or a delta layer is to run in stream mode. The message says what to change.
    """
    _check_order(network.layers, mode)
    plan = plan_step(sizes_of(network), mode, window)
    plan.place_sums(pes)
    operands = [(layer, *operand) for layer in network.layers for operand in _operands(layer)]
    phases = []
    for planned in plan.phases:
        layer, matrix, source = operands[planned.number]
        owner = layer if planned.phase.computes else None
        phases.append(MatrixPhase(planned.phase, matrix, planned.matrix.interleave(pes), source, owner))
    result = Schedule(plan, tuple(phases))
    for number, item in enumerate(item for item in phases if item.matrix.codebook is not None):
        item.phase.codebook = number
    for item in phases:
        if isinstance(item.layer, Recurrent) and item.phase.has("lstm"):
            _set_cells(item.phase, item.layer, result.summed_before(item), banks)
        elif item.layer is not None:
            _set_rows(item, item.layer, banks)
    return result


def _check_order(layers: Sequence[Layer], mode: Mode) -> None:
    """Refuse layers that the engine cannot run one after the other, and delta layers in stream mode."""
    last_only = False
    for layer in layers:
        if isinstance(layer, Dense):
            continue
        if layer.is_delta and mode == "stream":
            raise UnsupportedError(
                f"layer {layer.name!r} has delta thresholds; stream mode multiplies every element: use mode 'skip'"
            )
        if layer.is_delta and isinstance(layer, Gru) and not layer.reset_after:
            raise UnsupportedError(
                f"layer {layer.name!r} has delta thresholds, and is a GRU without reset_after, in which r * h changes "
                "as a whole from step to step: use reset_after=True, or leave the thresholds out"
            )
        if last_only:
            raise UnsupportedError(
                f"layer {layer.name!r} is recurrent, behind a recurrent layer without return_sequences: give that one "
                "return_sequences=True"
            )
        last_only = not layer.return_sequences
    for before, _ in pairwise(layers):
        if isinstance(before, Dense) and before.output is None:
            raise UnsupportedError(
                f"layer {before.name!r}: its exact sums feed another layer; at most 16 bits are stored between layers: "
                f"put QActivation('quantized_bits(16, 4, alpha=1)') or a quantized_relu behind it"
            )


def _operands(layer: Layer) -> list[tuple[Matrix, Fixed]]:
    """The matrices of a layer in the order of `LayerSize.matrices`, each with the format of its input vector."""
    sources = {"kernel": layer.source}
    if isinstance(layer, Recurrent):
        sources |= {"recurrent": layer.state, "projection": layer.product}
    if isinstance(layer, Gru) and layer.reset is not None:
        sources["candidate"] = layer.reset
    return [(matrix, sources[part]) for part, matrix in layer.matrices().items()]


def _shares(layer: Recurrent) -> bool:
    """Whether kernel and recurrent kernel may add into one accumulator, because scales and binary points are equal."""
    same_point = layer.source.frac + layer.kernel.scale_frac == layer.state.frac + layer.recurrent.scale_frac
    scales = [_scale_by_row(matrix, layer.places(part)) for part, matrix in layer.matrices().items() if part in _BOTH]
    common = sorted(set(scales[0]) & set(scales[1]))
    return same_point and all((scales[0][row] == scales[1][row]).all() for row in common)


_BOTH: tuple[Part, Part] = ("kernel", "recurrent")


def _scale_by_row(matrix: Matrix, places: tuple[int, ...]) -> dict[int, Codes]:
    """(2, cells) scales of a matrix for each of a cell's four sums to which it adds."""
    return dict(zip(places, np.split(matrix.scale, len(places), axis=1), strict=True))


def _set_cells(stage: Phase, layer: Recurrent, parts: Sequence[MatrixPhase], banks: int) -> None:
    """Set banks and thresholds of the kernels of a recurrent layer, and shifts of the cell stage that follows them."""
    signs = 2 if layer.kernel.two_scales or layer.recurrent.two_scales else 1
    shifts: dict[int, int] = {}
    for item in sorted(parts, key=lambda item: item.phase.part):
        first_bank = signs if item.part == "recurrent" and not _shares(layer) else 0
        found = _set_banks(item, layer.name, first_bank, banks)
        if isinstance(layer, Gru) and 3 in layer.places(item.part):
            # The fourth sum is that of one matrix only, and has a shift of its own.
            stage.peephole_shift = found[item.phase.bank_positive]
        if item.part != "candidate":
            shifts.update(found)
    _set_shifts(stage, shifts)
    stage.bias_shift = _shift(layer.name, "the bias", layer.bias_frac)
    if isinstance(layer, Lstm) and layer.peepholes is not None:
        stage.peephole_shift = _shift(layer.name, "a peephole term", layer.bias_frac + layer.state.frac)
    if isinstance(layer, Gru) and layer.reset is not None and stage.resets:
        stage.stored_shift = _reset_shift(layer.name, layer.reset, layer.exact_reset)
        stage.low, stage.high = layer.reset.low, layer.reset.high
    if layer.is_delta:
        # Both kernels add into the same accumulators, so both must be delta phases. Threshold zero is exact.
        for item in parts:
            item.phase.threshold = (layer.delta_input if item.part == "kernel" else layer.delta_state) or 0


def _reset_shift(name: str, reset: Fixed, exact: Fixed) -> int:
    """Right shift from r * h of a GRU without `reset_after` to its stored form.

    Args:
        name: name of the layer, for the message.
        reset: format in which r * h is stored.
        exact: its format before rounding.

    Raises:
        UnsupportedError: if the engine cannot store it so.
    """
    if reset.bits > ELEMENT_BITS - (not reset.signed) or reset.frac > exact.frac:
        raise UnsupportedError(
            f"layer {name!r}: its format of r * h is {reset}; at most {ELEMENT_BITS} bits, the sign included, and no "
            f"more fractional bits than the product's {exact.frac} can be stored: give it fewer bits"
        )
    return exact.frac - reset.frac


def _set_rows(item: MatrixPhase, layer: Layer, banks: int) -> None:
    """Set banks, shifts and stored format of the rows of a Dense layer or a projection."""
    phase = item.phase
    point = sum_frac(layer) if isinstance(layer, Dense) else SUM_FRAC
    _set_shifts(phase, _set_banks(item, layer.name, 0, banks, point))
    stored = layer.output if isinstance(layer, Dense) else layer.state
    if isinstance(layer, Dense):
        phase.bias_shift = _shift(layer.name, "the bias", layer.bias_frac, point)
        if layer.relu:
            phase.flags.add("relu")
    if stored is not None:
        phase.stored_shift = _shift(layer.name, "its output format", stored.frac, point)
        phase.low, phase.high = stored.low, stored.high


def _set_banks(item: MatrixPhase, name: str, bank: int, banks: int, point: int = SUM_FRAC) -> dict[int, int]:
    """Set the accumulator banks of a matrix.

    Args:
        item: the phase of the matrix.
        name: name of its layer, for messages.
        bank: the first bank.
        banks: accumulators per row of the design.
        point: fractional bits of the scaled sum.

    Returns:
        The shift of the sum in each of the banks.

    Raises:
        UnsupportedError: if the design has too few banks, or the sum too few fractional bits.
    """
    phase, matrix = item.phase, item.matrix
    phase.bank_positive = bank
    phase.bank_negative = bank + matrix.two_scales
    if phase.bank_negative >= banks:
        raise UnsupportedError(
            f"layer {name!r}: its scales need {phase.bank_negative + 1} accumulator banks; the design has {banks}: "
            "leave hls_config['Model']['AccBanks'] out, set it to 4, or use equal scales"
        )
    shift = _shift(name, "a scaled input", item.source.frac + matrix.scale_frac, point)
    return {phase.bank_positive: shift, phase.bank_negative: shift}


def _set_shifts(phase: Phase, shifts: dict[int, int]) -> None:
    phase.bank_shift = (shifts.get(0, 0), shifts.get(1, 0), shifts.get(2, 0), shifts.get(3, 0))


def _shift(name: str, what: str, frac: int, point: int = SUM_FRAC) -> int:
    """Left shift of a number with `frac` fractional bits to a sum with `point`; `name` and `what` are for the message.

    Raises:
        UnsupportedError: if the sum has fewer fractional bits than the number.
    """
    if not 0 <= point - frac <= 63:
        raise UnsupportedError(
            f"layer {name!r}: {what} has {frac} fractional bits; its sums have {point}, since they may be large and "
            "have 48 bits in all: give weights, bias or inputs fewer bits"
        )
    return point - frac
