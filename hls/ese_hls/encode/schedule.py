"""The schedule: a network's layers as phases, in the order of one step (docs/engine.md, "Schedule").

Input frames and an LSTM's separate outputs live in vector RAM A, states in B, so that the PEs read one while the
element-wise stage writes the other. Where the first layer is an LSTM, its input part of step t + 1 goes ahead, beside
the element-wise stage of step t.

A delta network's sums persist: each delta layer has accumulators of its own, below those that the other layers share,
and nothing goes ahead, for its input part may be added only when the last step's sums have been read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ese_host.errors import UnsupportedError
from ese_host.image.design import SCAN_WIDTH, SUM_FRAC, Mode
from ese_host.image.interleave import Interleave
from ese_host.image.phases import Phase
from ese_host.ir.fixed import Fixed
from ese_host.ir.network import Dense, Lstm, Matrix, Network

RAM_A, RAM_B = 0, 1


@dataclass
class Planned:
    """A phase with what its memories are filled from.

    Attributes:
        phase: the record; memory bases that depend on packing are still zero.
        matrix: its weights. interleave: their rows over the PEs.
        source: format of the vector it multiplies.
        layer: the layer whose parameters its element-wise stage uses, or None.
    """

    phase: Phase
    matrix: Matrix
    interleave: Interleave
    source: Fixed
    layer: Lstm | Dense | None = None

    @property
    def groups(self) -> int:
        """Groups of four accumulators that its rows take."""
        return -(-self.interleave.rows_per_pe // 4)


@dataclass
class Plan:
    """Phases in order, and the sizes of what they use.

    Attributes:
        alternate: accumulator sets change roles with every step.
        alignment: a vector begins at a multiple of it.
        vector_words: of RAM A and B. delta_words: of the memory of what was last broadcast.
    """

    phases: list[Planned] = field(default_factory=list)
    alternate: bool = False
    alignment: int = 1
    vector_words: list[int] = field(default_factory=lambda: [0, 0])
    delta_words: int = 0

    @property
    def groups(self) -> int:
        """Groups of four accumulators a PE."""
        return max(p.phase.group_base + p.groups for p in self.phases)


@dataclass(frozen=True)
class _Vector:
    """Where a vector lies and in which format."""

    ram: int
    base: int
    format: Fixed


def banks_needed(network: Network) -> Literal[1, 2, 4]:
    """Accumulators a row that the scales and binary points ask for (DESIGN: numerics)."""
    matrices = [m for layer in network.layers for m in _matrices(layer)]
    signs = 2 if any(m.two_scales for m in matrices) else 1
    parts = 1 if all(_shares(layer) for layer in network.layers if isinstance(layer, Lstm)) else 2
    banks: dict[int, Literal[1, 2, 4]] = {1: 1, 2: 2, 4: 4}
    return banks[signs * parts]


def _matrices(layer: Lstm | Dense) -> list[Matrix]:
    if isinstance(layer, Dense):
        return [layer.kernel]
    return [layer.kernel, layer.recurrent, *([layer.projection] if layer.projection is not None else [])]


def _shares(layer: Lstm) -> bool:
    """Whether input and recurrent part may add into one accumulator: same scales, same binary point."""
    same_point = layer.source.frac + layer.kernel.scale_frac == layer.state.frac + layer.recurrent.scale_frac
    return same_point and bool((layer.kernel.scale == layer.recurrent.scale).all())


def plan(network: Network, pes: int, banks: int, mode: Mode = "stream") -> Plan:
    """Phases of one step.

    Raises:
        UnsupportedError: a scale, bias or format lies outside what the sums can hold, or a delta layer is to run in
            stream mode, with what to change.
    """
    deltas = [layer.name for layer in network.layers if isinstance(layer, Lstm) and layer.is_delta]
    if deltas and mode == "stream":
        raise UnsupportedError(
            f"layer {deltas[0]!r} has delta thresholds; stream mode multiplies every element: use mode 'skip'"
        )
    result = Plan(alternate=isinstance(network.layers[0], Lstm) and not deltas)
    result.alignment = SCAN_WIDTH if mode == "skip" else 1
    _allocate(result, RAM_A, network.inputs + network.inputs % 2)
    vector = _Vector(RAM_A, 0, network.source)
    last_only = False
    codebooks = 0
    for index, layer in enumerate(network.layers):
        final = index == len(network.layers) - 1
        if isinstance(layer, Lstm):
            if last_only:
                raise UnsupportedError(
                    f"layer {layer.name!r} is an LSTM behind one without return_sequences: set it there"
                )
            phases, vector = _lstm(result, layer, index, vector, pes, banks, final)
        else:
            phases, vector = _dense(result, layer, index, vector, pes, banks, final)
        if last_only:
            for planned in phases:
                planned.phase.flags.add("last_only")
        last_only = last_only or (isinstance(layer, Lstm) and not layer.return_sequences)
        for planned in phases:
            if planned.matrix.codebook is not None:
                planned.phase.codebook = codebooks
                codebooks += 1
            if not result.alternate and index % 2:
                planned.phase.flags.add("set")
        result.phases += phases
    for planned in result.phases:
        planned.phase.columns = planned.matrix.codes.shape[1]
    _place_sums(result)
    return result


def _place_sums(result: Plan) -> None:
    """Accumulators: in each set first those of the delta layers, then those that all other layers share."""
    owned = [0, 0]
    bases: dict[int, int] = {}
    for planned in result.phases:
        phase = planned.phase
        if phase.has("delta"):
            if phase.layer not in bases:
                bases[phase.layer] = owned[phase.has("set")]
                owned[phase.has("set")] += planned.groups
            phase.group_base = bases[phase.layer]
            phase.last_base = result.delta_words
            result.delta_words += _aligned(phase.columns, result.alignment)
    for planned in result.phases:
        if not planned.phase.has("delta"):
            planned.phase.group_base = owned[planned.phase.has("set")]


def _aligned(words: int, alignment: int) -> int:
    return -(-words // alignment) * alignment


def _allocate(result: Plan, ram: int, words: int) -> int:
    base = result.vector_words[ram]
    result.vector_words[ram] += _aligned(words, result.alignment)
    return base


def _shift(name: str, what: str, frac: int) -> int:
    """Left shift that brings `frac` fractional bits to the sum's."""
    if not 0 <= SUM_FRAC - frac <= 63:
        raise UnsupportedError(
            f"layer {name!r}: {what} has {frac} fractional bits; 0 to {SUM_FRAC} are held: "
            "give its quantizer fewer fractional bits"
        )
    return SUM_FRAC - frac


def _part(phase: Phase, planned: Matrix, name: str, source: Fixed, bank: int, banks: int) -> tuple[int, int]:
    """Set the banks of a matrix; (bank, shift) of its positive sum."""
    phase.bank_positive = bank
    phase.bank_negative = bank + 1 if planned.two_scales else bank
    if phase.bank_negative >= banks:
        raise UnsupportedError(
            f"layer {name!r}: its scales need accumulator bank {phase.bank_negative}; the design has "
            f"{banks}: use more AccBanks, or equal scales"
        )
    return bank, _shift(name, "a scaled input", source.frac + planned.scale_frac)


def _set_shifts(phase: Phase, shifts: dict[int, int]) -> None:
    phase.bank_shift = (shifts.get(0, 0), shifts.get(1, 0), shifts.get(2, 0), shifts.get(3, 0))


def _lstm(
    result: Plan, layer: Lstm, index: int, source: _Vector, pes: int, banks: int, final: bool
) -> tuple[list[Planned], _Vector]:
    first, ahead = index == 0, index == 0 and result.alternate
    inputs = Phase(layer=index, part=0, source_base=source.base)
    recurrent = Phase(layer=index, part=1, flags={"zero_state"})
    if source.ram == RAM_B:
        inputs.flags.add("source_ram")
    if first:
        inputs.flags |= {"waits_frame", "frees_frame"}
    if ahead:
        inputs.flags.add("ahead")
    if layer.is_delta:
        _set_thresholds(layer, inputs, recurrent)
    cell_stage = recurrent if first else inputs
    shared = _shares(layer)
    signs = 2 if layer.kernel.two_scales or layer.recurrent.two_scales else 1
    shifts: dict[int, int] = {}
    for phase, matrix, form, bank in (
        (inputs, layer.kernel, source.format, 0),
        (recurrent, layer.recurrent, layer.state, 0 if shared else signs),
    ):
        start, shift = _part(phase, matrix, layer.name, form, bank, banks)
        shifts[start] = shifts[start + matrix.two_scales] = shift
    _set_shifts(cell_stage, shifts)
    cell_stage.bias_shift = _shift(layer.name, "the bias", layer.bias_frac)
    cell_stage.items = layer.units
    cell_stage.flags |= {"lstm", "first_enabled"}
    if layer.peepholes is not None:
        cell_stage.flags.add("peepholes")
        cell_stage.peephole_shift = _shift(layer.name, "a peephole term", layer.bias_frac + layer.state.frac)
    output = layer.exact_output if layer.output is None else layer.output
    interleave = Interleave(4 * layer.units, pes, 4)
    phases = [
        Planned(recurrent, layer.recurrent, interleave, layer.state, layer if first else None),
        Planned(inputs, layer.kernel, interleave, source.format, None if first else layer),
    ]
    if first and not ahead:
        phases.reverse()
    cell_stage.first_base = _allocate(result, RAM_B, layer.units)
    cell_stage.flags.add("first_ram")
    if layer.projection is not None:
        cell_stage.flags.add("stores_output")
        y = _Vector(RAM_A, _allocate(result, RAM_A, layer.outputs), layer.state)
        recurrent.source_base = y.base
        projected = _projection(layer, layer.projection, index, cell_stage.first_base, output, y, pes, banks)
        if final:
            projected.phase.flags |= {"emits", "emits_stored"}
            _last_only(projected.phase, layer)
        return [*phases, projected], y
    recurrent.flags.add("source_ram")
    recurrent.source_base = cell_stage.first_base
    vector = _Vector(RAM_B, cell_stage.first_base, layer.state)
    if final:
        cell_stage.flags.add("emits")
        if layer.output is not None:
            cell_stage.flags.add("emits_stored")
    elif output != layer.state:
        vector = _Vector(RAM_A, _allocate(result, RAM_A, layer.units), output)
        cell_stage.flags.add("second_enabled")
        cell_stage.second_base = vector.base
    _last_only(cell_stage, layer)
    return phases, vector


def _set_thresholds(layer: Lstm, inputs: Phase, recurrent: Phase) -> None:
    """Both parts add into the same accumulators: where one has no threshold, it gets zero, which is exact."""
    for phase, threshold in ((inputs, layer.delta_input), (recurrent, layer.delta_state)):
        phase.flags.add("delta")
        phase.threshold = threshold or 0


def _last_only(phase: Phase, layer: Lstm) -> None:
    if not layer.return_sequences:
        phase.flags.add("output_last_only")


def _projection(
    layer: Lstm, matrix: Matrix, index: int, m_base: int, m: Fixed, y: _Vector, pes: int, banks: int
) -> Planned:
    phase = Phase(layer=index, part=2, flags={"dense", "source_ram", "first_enabled"}, source_base=m_base)
    start, shift = _part(phase, matrix, layer.name, m, 0, banks)
    _set_shifts(phase, {start: shift, start + matrix.two_scales: shift})
    phase.items = layer.outputs
    phase.first_base = y.base
    _store(phase, layer.name, layer.state)
    return Planned(phase, matrix, Interleave(layer.outputs, pes), m, layer)


def _store(phase: Phase, name: str, form: Fixed) -> None:
    """Format of a row's stored output."""
    phase.stored_shift = _shift(name, "its output format", form.frac)
    phase.low, phase.high = form.low, form.high


def _dense(
    result: Plan, layer: Dense, index: int, source: _Vector, pes: int, banks: int, final: bool
) -> tuple[list[Planned], _Vector]:
    phase = Phase(layer=index, part=0, flags={"dense"}, source_base=source.base)
    if source.ram == RAM_B:
        phase.flags.add("source_ram")
    if index == 0:
        phase.flags |= {"waits_frame", "frees_frame"}
    if layer.relu:
        phase.flags.add("relu")
    start, shift = _part(phase, layer.kernel, layer.name, source.format, 0, banks)
    _set_shifts(phase, {start: shift, start + layer.kernel.two_scales: shift})
    phase.bias_shift = _shift(layer.name, "the bias", layer.bias_frac)
    phase.items = layer.outputs
    vector = source
    if layer.output is not None:
        _store(phase, layer.name, layer.output)
    if final:
        phase.flags.add("emits")
        if layer.output is not None:
            phase.flags.add("emits_stored")
    elif layer.output is None:
        raise UnsupportedError(
            f"layer {layer.name!r}: its exact sums feed another layer; at most 16 bits are stored between layers: "
            f"put QActivation('quantized_bits(16, 4, alpha=1)') or a quantized_relu behind it"
        )
    else:
        vector = _Vector(1 - source.ram, _allocate(result, 1 - source.ram, layer.outputs), layer.output)
        phase.flags.add("first_enabled")
        phase.first_base = vector.base
        if vector.ram == RAM_B:
            phase.flags.add("first_ram")
    planned = Planned(phase, layer.kernel, Interleave(layer.outputs, pes), source.format, layer)
    return [planned], vector
