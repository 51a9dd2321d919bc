"""A network's matrices, formats and constants on the plan of a step (docs/engine.md, "Schedule")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from ese_host.errors import UnsupportedError
from ese_host.image import SUM_FRAC, Interleave, Mode, Phase, StepPlan, plan_step, sizes_of
from ese_host.ir import Dense, Fixed, Layer, Lstm, Matrix, Network


@dataclass(frozen=True)
class MatrixPhase:
    """A phase with what its memories are filled from.

    Attributes:
        phase: the record; memory bases that depend on packing are still zero.
        matrix: its weights. interleave: their rows over the PEs.
        source: format of the vector that it multiplies.
        layer: the layer whose parameters its element-wise stage uses, or None where no stage follows.
    """

    phase: Phase
    matrix: Matrix
    interleave: Interleave
    source: Fixed
    layer: Layer | None


@dataclass(frozen=True)
class Schedule:
    """The plan of a step, and its phases with their matrices."""

    plan: StepPlan
    phases: tuple[MatrixPhase, ...]

    def summed_before(self, item: MatrixPhase) -> list[MatrixPhase]:
        """The matrices that are summed before an item's element-wise stage: both parts of an LSTM, or its own."""
        if not item.phase.has("lstm"):
            return [item]
        return [p for p in self.phases if p.phase.layer == item.phase.layer and p.phase.part < 2]


def banks_needed(network: Network) -> Literal[1, 2, 4]:
    """Accumulators a row that the scales and binary points ask for (docs/numerics.md, "Sums")."""
    signs = 2 if any(m.two_scales for layer in network.layers for m in layer.matrices().values()) else 1
    parts = 1 if all(_shares(layer) for layer in network.layers if isinstance(layer, Lstm)) else 2
    banks: dict[int, Literal[1, 2, 4]] = {1: 1, 2: 2, 4: 4}
    return banks[signs * parts]


def schedule(network: Network, pes: int, banks: int, mode: Mode = "stream") -> Schedule:
    """The phases of one step, with everything but what depends on packing.

    Args:
        network: the network.
        pes: processing elements.
        banks: accumulators a row.
        mode: of the design.

    Raises:
        UnsupportedError: a scale, bias or format lies outside what the sums can hold, a layer cannot stand where it
            stands, or a delta layer is to run in stream mode; says what to change.
    """
    _check_order(network.layers, mode)
    plan = plan_step(sizes_of(network), mode)
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
        if isinstance(item.layer, Lstm) and item.phase.has("lstm"):
            _set_cells(item.phase, item.layer, result.summed_before(item), banks)
        elif item.layer is not None:
            _set_rows(item, item.layer, banks)
    return result


def _check_order(layers: Sequence[Layer], mode: Mode) -> None:
    """Refuse layers that the engine cannot run one after the other."""
    deltas = [layer.name for layer in layers if isinstance(layer, Lstm) and layer.is_delta]
    if deltas and mode == "stream":
        raise UnsupportedError(
            f"layer {deltas[0]!r} has delta thresholds; stream mode multiplies every element: use mode 'skip'"
        )
    last_only = False
    for layer in layers:
        if isinstance(layer, Lstm):
            if last_only:
                raise UnsupportedError(
                    f"layer {layer.name!r} is an LSTM behind one without return_sequences: set it there"
                )
            last_only = not layer.return_sequences
    for before, _ in pairwise(layers):
        if isinstance(before, Dense) and before.output is None:
            raise UnsupportedError(
                f"layer {before.name!r}: its exact sums feed another layer; at most 16 bits are stored between layers: "
                f"put QActivation('quantized_bits(16, 4, alpha=1)') or a quantized_relu behind it"
            )


def _operands(layer: Layer) -> list[tuple[Matrix, Fixed]]:
    """A layer's matrices, in the order of `LayerSize.matrices`, and the format of what each multiplies."""
    sources = {"kernel": layer.source}
    if isinstance(layer, Lstm):
        sources |= {"recurrent": layer.state, "projection": layer.product}
    return [(matrix, sources[part]) for part, matrix in layer.matrices().items()]


def _shares(layer: Lstm) -> bool:
    """Whether input and recurrent part may add into one accumulator: same scales, same binary point."""
    same_point = layer.source.frac + layer.kernel.scale_frac == layer.state.frac + layer.recurrent.scale_frac
    return same_point and bool((layer.kernel.scale == layer.recurrent.scale).all())


def _set_cells(stage: Phase, layer: Lstm, parts: Sequence[MatrixPhase], banks: int) -> None:
    """Banks, shifts and thresholds of an LSTM's two parts, and the constants of the cells behind them."""
    signs = 2 if layer.kernel.two_scales or layer.recurrent.two_scales else 1
    shifts: dict[int, int] = {}
    for item in sorted(parts, key=lambda item: item.phase.part):
        own = signs if item.phase.part and not _shares(layer) else 0
        shifts.update(_set_banks(item, layer.name, own, banks))
    _set_shifts(stage, shifts)
    stage.bias_shift = _shift(layer.name, "the bias", layer.bias_frac)
    if layer.peepholes is not None:
        stage.peephole_shift = _shift(layer.name, "a peephole term", layer.bias_frac + layer.state.frac)
    if layer.is_delta:
        # Both parts add into the same accumulators: where one has no threshold, it gets zero, which is exact.
        for item in parts:
            item.phase.threshold = (layer.delta_state if item.phase.part else layer.delta_input) or 0


def _set_rows(item: MatrixPhase, layer: Layer, banks: int) -> None:
    """Banks, shifts and the stored format of a Dense layer's or a projection's rows."""
    phase = item.phase
    _set_shifts(phase, _set_banks(item, layer.name, 0, banks))
    stored: Fixed | None = layer.state if isinstance(layer, Lstm) else layer.output
    if isinstance(layer, Dense):
        phase.bias_shift = _shift(layer.name, "the bias", layer.bias_frac)
        if layer.relu:
            phase.flags.add("relu")
    if stored is not None:
        phase.stored_shift = _shift(layer.name, "its output format", stored.frac)
        phase.low, phase.high = stored.low, stored.high


def _set_banks(item: MatrixPhase, name: str, bank: int, banks: int) -> dict[int, int]:
    """Set the accumulator banks of a matrix, from `bank` on; the shift of the sum in each."""
    phase, matrix = item.phase, item.matrix
    phase.bank_positive = bank
    phase.bank_negative = bank + matrix.two_scales
    if phase.bank_negative >= banks:
        raise UnsupportedError(
            f"layer {name!r}: its scales need accumulator bank {phase.bank_negative}; the design has "
            f"{banks}: use more AccBanks, or equal scales"
        )
    shift = _shift(name, "a scaled input", item.source.frac + matrix.scale_frac)
    return {phase.bank_positive: shift, phase.bank_negative: shift}


def _set_shifts(phase: Phase, shifts: dict[int, int]) -> None:
    phase.bank_shift = (shifts.get(0, 0), shifts.get(1, 0), shifts.get(2, 0), shifts.get(3, 0))


def _shift(name: str, what: str, frac: int) -> int:
    """Left shift that brings `frac` fractional bits to the sum's."""
    if not 0 <= SUM_FRAC - frac <= 63:
        raise UnsupportedError(
            f"layer {name!r}: {what} has {frac} fractional bits; 0 to {SUM_FRAC} are held: "
            "give its quantizer fewer fractional bits"
        )
    return SUM_FRAC - frac
