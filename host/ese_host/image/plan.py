# SPDX-License-Identifier: Apache-2.0
"""The schedule of one step: the phases of all layers, in the order in which the engine runs them.

It follows engine.md, "Schedule", and needs only the sizes of the layers. The encoder adds the weights to it, the
estimate adds numbers of entries, and the cycle model adds cycles.

Input frames, and outputs that a recurrent layer stores besides its state, are in vector RAM A, states in B, so that the
PEs can read one while the element-wise stage writes the other. If the first layer is recurrent, its kernel's phase of
step t + 1 runs ahead, at the same time as the element-wise stage of step t.

A GRU without `reset_after` has two stages: the first one writes r * h to B, and the candidate's recurrent kernel, which
reads it, adds to sums that the first stage has left in place.

The sums of a delta network persist from step to step. Each delta layer therefore has accumulators of its own, below
those that the other layers share. No phase runs ahead then, because changes of the input may be added only after the
sums of the previous step have been read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ese_host.image.design import SCAN_WIDTH, Mode, is_aligned
from ese_host.image.phases import CELL_KINDS, Phase
from ese_host.image.sizes import DenseSize, GruSize, LayerSize, LstmSize, MatrixSize, RecurrentSize, check_chain
from ese_host.ir import PARTS, Part

RAM_A, RAM_B = 0, 1


@dataclass(frozen=True)
class PlannedPhase:
    """One phase of the plan.

    Attributes:
        phase: its record; fields that depend on weights, formats or the design's widths are still zero.
        matrix: size of the matrix that the phase multiplies.
        number: number of the matrix among those of all layers, in the order of `LayerSize.matrices`.
    """

    phase: Phase
    matrix: MatrixSize
    number: int

    def groups(self, pes: int) -> int:
        """Groups of four accumulators that the matrix's rows occupy in each PE."""
        return -(-self.matrix.interleave(pes).rows_per_pe // 4)


@dataclass(frozen=True)
class _Vector:
    """Address of a vector: its vector RAM and its first element there."""

    ram: int
    base: int


@dataclass
class StepPlan:
    """The phases of one step, and the memory that they use.

    Attributes:
        inputs: width of an input frame.
        outputs: width of an output frame.
        alternate: whether the two sets of accumulators swap roles with every step.
        alignment: number of elements of which every vector's address is a multiple.
        phases: the phases in the order in which they run.
        vector_words: elements used of vector RAM A and of B.
        delta_words: elements whose last broadcast value is kept for delta layers.
    """

    inputs: int
    outputs: int
    alternate: bool
    alignment: int = 1
    phases: list[PlannedPhase] = field(default_factory=list)
    vector_words: list[int] = field(default_factory=lambda: [0, 0])
    delta_words: int = 0

    def allocate(self, ram: int, words: int) -> _Vector:
        """Reserve `words` elements of a vector RAM."""
        vector = _Vector(ram, self.vector_words[ram])
        self.vector_words[ram] += self._aligned(words)
        return vector

    def groups(self, pes: int) -> int:
        """Groups of four accumulators per PE and set; for delta layers `place_sums` must have been called before."""
        return max(planned.phase.group_base + planned.groups(pes) for planned in self.phases)

    def parameter_rows(self, units: int) -> int:
        """Items of scales and biases, four rows each, that each of the element-wise units holds."""
        return sum(p.phase.parameter_items(units) for p in self.phases if not p.phase.resets)

    def cell_rows(self, units: int) -> int:
        """Cells of recurrent layers that each of the element-wise units holds."""
        cells = (p.phase for p in self.phases if p.phase.has("lstm") and not p.phase.resets)
        return sum(-(-phase.items // units) for phase in cells)

    def place_sums(self, pes: int) -> None:
        """Place the accumulators, and the last broadcast values of delta layers. Call this once.

        In each of the two sets the accumulators of each delta layer come first, then those that all other layers share.
        """
        delta_groups = [0, 0]  # groups of both sets that belong to delta layers
        bases: dict[int, int] = {}
        for planned in self.phases:
            phase = planned.phase
            if phase.has("delta"):
                if phase.layer not in bases:
                    bases[phase.layer] = delta_groups[phase.has("set")]
                    delta_groups[phase.has("set")] += planned.groups(pes)
                phase.group_base = bases[phase.layer]
                phase.last_base = self.delta_words
                self.delta_words += self._aligned(phase.columns)
        for planned in self.phases:
            if not planned.phase.has("delta"):
                planned.phase.group_base = delta_groups[planned.phase.has("set")]

    def _aligned(self, words: int) -> int:
        return -(-words // self.alignment) * self.alignment


def plan_step(layers: Sequence[LayerSize], mode: Mode = "stream", window: int = 0) -> StepPlan:
    """Plan the phases of one step.

    Args:
        layers: sizes of the layers in the order of computation.
        mode: mode of the design; in skip mode vectors are aligned to `SCAN_WIDTH` elements.
        window: columns of the activation window; with one, vectors are aligned too.

    Raises:
        UnsupportedError: if there is no layer, or a layer's inputs are not the outputs of the one before it.
    """
    check_chain(layers)
    first = layers[0]
    plan = StepPlan(
        inputs=first.inputs,
        outputs=layers[-1].outputs,
        alternate=isinstance(first, RecurrentSize) and not any(_is_delta(layer) for layer in layers),
        alignment=SCAN_WIDTH if is_aligned(mode, window) else 1,
    )
    source = plan.allocate(RAM_A, first.inputs + first.inputs % 2)
    last_only, number = False, 0
    for index, layer in enumerate(layers):
        final = index == len(layers) - 1
        if isinstance(layer, DenseSize):
            phases, source = _dense(plan, layer, index, source, final)
        else:
            phases, source = _recurrent(plan, layer, index, source, final)
        matrices = {PARTS.index(matrix.name): (place, matrix) for place, matrix in enumerate(layer.matrices())}
        for phase in phases:
            if last_only:
                phase.flags.add("last_only")
            if not plan.alternate and index % 2:
                phase.flags.add("set")
            place, matrix = matrices[phase.part]
            phase.columns = matrix.columns
            phase.window = int(window > 0)
            plan.phases.append(PlannedPhase(phase, matrix, number + place))
        number += len(matrices)
        last_only = last_only or not (isinstance(layer, DenseSize) or layer.return_sequences)
    return plan


def _is_delta(layer: LayerSize) -> bool:
    return not isinstance(layer, DenseSize) and layer.delta


def _recurrent(
    plan: StepPlan, layer: LstmSize | GruSize, index: int, source: _Vector, final: bool
) -> tuple[list[Phase], _Vector]:
    """A recurrent layer's phases in order, and the address of its output."""
    first, ahead = index == 0, index == 0 and plan.alternate
    inputs = Phase(layer=index, part=_part("kernel"), source_base=source.base)
    recurrent = Phase(layer=index, part=_part("recurrent"), flags={"zero_state"})
    if source.ram == RAM_B:
        inputs.flags.add("source_ram")
    if first:
        inputs.flags |= {"waits_frame", "frees_frame"}
    if ahead:
        inputs.flags.add("ahead")
    if layer.delta:
        inputs.flags.add("delta")
        recurrent.flags.add("delta")
    phases = [inputs, recurrent] if first and not ahead else [recurrent, inputs]
    stage = recurrent if first else inputs
    state = plan.allocate(RAM_B, layer.units)
    if isinstance(layer, GruSize):
        if layer.reset_after:
            stage.cell_kind = CELL_KINDS.index("gru")
        else:
            stage = _reset_before(plan, layer, stage, phases)
    stage.items = layer.units
    stage.flags |= {"lstm", "first_enabled", "first_ram"}
    stage.first_base = state.base
    if isinstance(layer, LstmSize) and layer.peepholes:
        stage.flags.add("peepholes")
    if isinstance(layer, LstmSize) and layer.projection:
        stage.flags.add("stores_output")
        output = plan.allocate(RAM_A, layer.projection)
        recurrent.source_base = output.base
        phases.append(_projection(layer, index, state, output, final))
        return phases, output
    recurrent.flags.add("source_ram")
    recurrent.source_base = state.base
    output = state
    if final:
        _emit(stage, layer.stored_output)
    elif layer.own_output:
        output = plan.allocate(RAM_A, layer.units)
        stage.flags.add("second_enabled")
        stage.second_base = output.base
    if not layer.return_sequences:
        stage.flags.add("output_last_only")
    return phases, output


def _reset_before(plan: StepPlan, layer: GruSize, stage: Phase, phases: list[Phase]) -> Phase:
    """Let `stage` make r * h of a GRU without `reset_after`; append and return the candidate's phase, which reads it.

    Args:
        plan: the plan, of which r * h takes elements of vector RAM B.
        layer: the layer.
        stage: the phase after which the sums of z and r are complete.
        phases: the phases of the layer.
    """
    reset = plan.allocate(RAM_B, layer.units)
    stage.items = layer.units
    stage.flags |= {"lstm", "first_enabled", "first_ram"}
    stage.cell_kind = CELL_KINDS.index("reset")
    stage.first_base = reset.base
    candidate = Phase(
        layer=stage.layer,
        part=_part("candidate"),
        flags={"source_ram", "zero_state"},
        source_base=reset.base,
        cell_kind=CELL_KINDS.index("gru_before"),
    )
    phases.append(candidate)
    return candidate


def _part(name: Part) -> int:
    """The number of a matrix's part in a phase record."""
    return PARTS.index(name)


def _projection(layer: LstmSize, index: int, source: _Vector, target: _Vector, final: bool) -> Phase:
    """The phase of an LSTM's projection, which reads the vector `source` and writes the vector `target`."""
    phase = Phase(
        layer=index,
        part=_part("projection"),
        flags={"dense", "source_ram", "first_enabled"},
        source_base=source.base,
        items=layer.projection,
        first_base=target.base,
    )
    if final:
        _emit(phase, stored=True)
        if not layer.return_sequences:
            phase.flags.add("output_last_only")
    return phase


def _dense(plan: StepPlan, layer: DenseSize, index: int, source: _Vector, final: bool) -> tuple[list[Phase], _Vector]:
    """A Dense layer's phase, and the address of its output."""
    phase = Phase(layer=index, part=_part("kernel"), flags={"dense"}, source_base=source.base, items=layer.outputs)
    if source.ram == RAM_B:
        phase.flags.add("source_ram")
    if index == 0:
        phase.flags |= {"waits_frame", "frees_frame"}
    if final:
        _emit(phase, layer.stored_output)
        return [phase], source
    output = plan.allocate(1 - source.ram, layer.outputs)
    phase.flags.add("first_enabled")
    if output.ram == RAM_B:
        phase.flags.add("first_ram")
    phase.first_base = output.base
    return [phase], output


def _emit(phase: Phase, stored: bool) -> None:
    """Let the results of a stage leave the engine, rounded as stored or as exact values."""
    phase.flags.add("emits")
    if stored:
        phase.flags.add("emits_stored")
