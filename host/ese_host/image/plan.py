"""The plan of one step: layers by their sizes as phases, in the order in which the engine runs them.

It follows docs/engine.md, "Schedule". The encoder attaches matrices to it, the estimate attaches entry counts, and the
cycle model attaches time.

Input frames and an LSTM's separate outputs live in vector RAM A, states in B, so that the PEs read one while the
element-wise stage writes the other. Where the first layer is an LSTM, its input part of step t + 1 goes ahead, beside
the element-wise stage of step t.

A delta network's sums persist: each delta layer has accumulators of its own, below those that the other layers share,
and nothing goes ahead, for its input part may be added only when the last step's sums have been read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ese_host.image.design import SCAN_WIDTH, Mode
from ese_host.image.phases import Phase
from ese_host.image.sizes import DenseSize, LayerSize, LstmSize, MatrixSize, check_chain

RAM_A, RAM_B = 0, 1


@dataclass(frozen=True)
class PlannedPhase:
    """One phase of the plan.

    Attributes:
        phase: its record; what depends on weights, formats and the design's packing is still zero.
        matrix: the matrix that it multiplies.
        number: that matrix's number among the matrices of all layers, in the order of `LayerSize.matrices`.
    """

    phase: Phase
    matrix: MatrixSize
    number: int

    def groups(self, pes: int) -> int:
        """Groups of four accumulators that the matrix's rows take in a PE."""
        return -(-self.matrix.interleave(pes).rows_per_pe // 4)


@dataclass(frozen=True)
class _Vector:
    """Where a vector lies."""

    ram: int
    base: int


@dataclass
class StepPlan:
    """The phases of one step, and the sizes of what they use.

    Attributes:
        inputs, outputs: widths of a frame.
        alternate: whether the accumulator sets change roles with every step.
        alignment: elements that the beginning of a vector is a multiple of.
        phases: in order.
        vector_words: elements used of vector RAM A and B.
        delta_words: elements whose last broadcast value is kept.
    """

    inputs: int
    outputs: int
    alternate: bool
    alignment: int = 1
    phases: list[PlannedPhase] = field(default_factory=list)
    vector_words: list[int] = field(default_factory=lambda: [0, 0])
    delta_words: int = 0

    def allocate(self, ram: int, words: int) -> _Vector:
        """`words` new elements of a vector RAM."""
        vector = _Vector(ram, self.vector_words[ram])
        self.vector_words[ram] += self._aligned(words)
        return vector

    def groups(self, pes: int) -> int:
        """Groups of four accumulators a PE, once `place_sums` has been called."""
        return max(planned.phase.group_base + planned.groups(pes) for planned in self.phases)

    def parameter_rows(self, units: int) -> int:
        """Rows of scales and biases that each of the element-wise units holds."""
        return sum(-(-p.phase.items // units) for p in self.phases if p.phase.computes)

    def cell_rows(self, units: int) -> int:
        """LSTM cells that each of the element-wise units holds."""
        return sum(-(-p.phase.items // units) for p in self.phases if p.phase.has("lstm"))

    def place_sums(self, pes: int) -> None:
        """Place accumulators: in each set first those of the delta layers, then those that all other layers share."""
        owned = [0, 0]
        bases: dict[int, int] = {}
        for planned in self.phases:
            phase = planned.phase
            if phase.has("delta"):
                if phase.layer not in bases:
                    bases[phase.layer] = owned[phase.has("set")]
                    owned[phase.has("set")] += planned.groups(pes)
                phase.group_base = bases[phase.layer]
                phase.last_base = self.delta_words
                self.delta_words += self._aligned(phase.columns)
        for planned in self.phases:
            if not planned.phase.has("delta"):
                planned.phase.group_base = owned[planned.phase.has("set")]

    def _aligned(self, words: int) -> int:
        return -(-words // self.alignment) * self.alignment


def plan_step(layers: Sequence[LayerSize], mode: Mode = "stream") -> StepPlan:
    """The phases of one step.

    Args:
        layers: in the order of computation.
        mode: of the design; skip mode reads vectors in whole rows of `SCAN_WIDTH` elements.

    Raises:
        UnsupportedError: the layers do not follow each other.
    """
    check_chain(layers)
    first = layers[0]
    result = StepPlan(
        inputs=first.inputs,
        outputs=layers[-1].outputs,
        alternate=isinstance(first, LstmSize) and not any(_is_delta(layer) for layer in layers),
        alignment=SCAN_WIDTH if mode == "skip" else 1,
    )
    source = result.allocate(RAM_A, first.inputs + first.inputs % 2)
    last_only, number = False, 0
    for index, layer in enumerate(layers):
        final = index == len(layers) - 1
        if isinstance(layer, LstmSize):
            phases, source = _lstm(result, layer, index, source, final)
        else:
            phases, source = _dense(result, layer, index, source, final)
        matrices = layer.matrices()
        for phase in phases:
            if last_only:
                phase.flags.add("last_only")
            if not result.alternate and index % 2:
                phase.flags.add("set")
            matrix = matrices[phase.part]
            phase.columns = matrix.columns
            result.phases.append(PlannedPhase(phase, matrix, number + phase.part))
        number += len(matrices)
        last_only = last_only or (isinstance(layer, LstmSize) and not layer.return_sequences)
    return result


def _is_delta(layer: LayerSize) -> bool:
    return isinstance(layer, LstmSize) and layer.delta


def _lstm(result: StepPlan, layer: LstmSize, index: int, source: _Vector, final: bool) -> tuple[list[Phase], _Vector]:
    """An LSTM's phases in order, and where its output lies."""
    first, ahead = index == 0, index == 0 and result.alternate
    inputs = Phase(layer=index, part=0, source_base=source.base)
    recurrent = Phase(layer=index, part=1, flags={"zero_state"})
    if source.ram == RAM_B:
        inputs.flags.add("source_ram")
    if first:
        inputs.flags |= {"waits_frame", "frees_frame"}
    if ahead:
        inputs.flags.add("ahead")
    if layer.delta:
        inputs.flags.add("delta")
        recurrent.flags.add("delta")
    stage = recurrent if first else inputs
    stage.items = layer.units
    stage.flags |= {"lstm", "first_enabled", "first_ram"}
    if layer.peepholes:
        stage.flags.add("peepholes")
    state = result.allocate(RAM_B, layer.units)
    stage.first_base = state.base
    phases = [inputs, recurrent] if first and not ahead else [recurrent, inputs]
    if layer.projection:
        stage.flags.add("stores_output")
        output = result.allocate(RAM_A, layer.projection)
        recurrent.source_base = output.base
        phases.append(_projection(layer, index, state, output, final))
        return phases, output
    recurrent.flags.add("source_ram")
    recurrent.source_base = state.base
    output = state
    if final:
        _emit(stage, layer.stored_output)
    elif layer.own_output:
        output = result.allocate(RAM_A, layer.units)
        stage.flags.add("second_enabled")
        stage.second_base = output.base
    if not layer.return_sequences:
        stage.flags.add("output_last_only")
    return phases, output


def _projection(layer: LstmSize, index: int, source: _Vector, target: _Vector, final: bool) -> Phase:
    """The phase of an LSTM's projection, from one vector to another."""
    phase = Phase(
        layer=index,
        part=2,
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


def _dense(result: StepPlan, layer: DenseSize, index: int, source: _Vector, final: bool) -> tuple[list[Phase], _Vector]:
    """A Dense layer's phase, and where its output lies."""
    phase = Phase(layer=index, part=0, flags={"dense"}, source_base=source.base, items=layer.outputs)
    if source.ram == RAM_B:
        phase.flags.add("source_ram")
    if index == 0:
        phase.flags |= {"waits_frame", "frees_frame"}
    if final:
        _emit(phase, layer.stored_output)
        return [phase], source
    output = result.allocate(1 - source.ram, layer.outputs)
    phase.flags.add("first_enabled")
    if output.ram == RAM_B:
        phase.flags.add("first_ram")
    phase.first_base = output.base
    return [phase], output


def _emit(phase: Phase, stored: bool) -> None:
    """Let a stage's results leave the engine, as stored or as exact values."""
    phase.flags.add("emits")
    if stored:
        phase.flags.add("emits_stored")
