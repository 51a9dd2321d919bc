"""The phase table of layers by their sizes: what the encoder would write, as far as time and memory depend on it.

It follows docs/engine.md, "Schedule". The tests compare it, flag by flag and number by number, with what the encoder
makes of real networks of the same sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ese_host.estimate.sizes import DenseSize, LayerSize, LstmSize, MatrixSize, check_chain
from ese_host.image.phases import Phase

RAM_A, RAM_B = 0, 1


@dataclass
class Table:
    """Phases in order, each with its matrix and that matrix's number in the order of the layers' `matrices()`.

    Attributes:
        alternate: whether the accumulator sets change roles with every step.
        vector_words: elements used of vector RAM A and B.
        params, cells: rows that have scales and biases, LSTM cells, both by stage.
        inputs, outputs: widths of a frame.
    """

    phases: list[Phase] = field(default_factory=list)
    matrices: list[MatrixSize] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    alternate: bool = False
    vector_words: list[int] = field(default_factory=lambda: [0, 0])
    params: list[int] = field(default_factory=list)
    cells: list[int] = field(default_factory=list)
    inputs: int = 0
    outputs: int = 0

    def allocate(self, ram: int, words: int) -> int:
        """First of `words` new elements of a vector RAM."""
        base = self.vector_words[ram]
        self.vector_words[ram] += words
        return base

    def add(self, phase: Phase, matrix: MatrixSize, number: int) -> None:
        """Append a phase."""
        self.phases.append(phase)
        self.matrices.append(matrix)
        self.numbers.append(number)
        if phase.computes:
            self.params.append(phase.items)
            if phase.has("lstm"):
                self.cells.append(phase.items)


def table_of(layers: Sequence[LayerSize]) -> Table:
    """The phase table of one step.

    Raises:
        UnsupportedError: the layers do not follow each other.
    """
    check_chain(layers)
    table = Table(alternate=isinstance(layers[0], LstmSize), inputs=layers[0].inputs, outputs=layers[-1].outputs)
    table.vector_words[RAM_A] = table.inputs + table.inputs % 2
    source, last_only, number = (RAM_A, 0), False, 0
    for index, layer in enumerate(layers):
        first = len(table.phases)
        if isinstance(layer, LstmSize):
            source = _lstm(table, layer, index, source, number, index == len(layers) - 1)
        else:
            source = _dense(table, layer, index, source, number, index == len(layers) - 1)
        number += len(layer.matrices())
        for phase in table.phases[first:]:
            if last_only:
                phase.flags.add("last_only")
            if not table.alternate and index % 2:
                phase.flags.add("set")
        last_only = last_only or (isinstance(layer, LstmSize) and not layer.return_sequences)
    return table


def _lstm(
    table: Table, layer: LstmSize, index: int, source: tuple[int, int], number: int, final: bool
) -> tuple[int, int]:
    first = index == 0
    inputs = Phase(layer=index, part=0, source_base=source[1], flags={"source_ram"} if source[0] == RAM_B else set())
    recurrent = Phase(layer=index, part=1, flags={"zero_state"})
    if first:
        inputs.flags |= {"ahead", "waits_frame", "frees_frame"}
    stage = recurrent if first else inputs
    stage.items = layer.units
    stage.flags |= {"lstm", "first_enabled", "first_ram"} | ({"peepholes"} if layer.peepholes else set())
    stage.first_base = table.allocate(RAM_B, layer.units)
    matrices = layer.matrices()
    if layer.projection:
        stage.flags.add("stores_output")
        result = (RAM_A, table.allocate(RAM_A, layer.projection))
        recurrent.source_base = result[1]
        emitter = Phase(
            layer=index,
            part=2,
            flags={"dense", "source_ram", "first_enabled"},
            source_base=stage.first_base,
            items=layer.projection,
            first_base=result[1],
        )
        stored = True
    else:
        recurrent.flags.add("source_ram")
        recurrent.source_base = stage.first_base
        result, emitter, stored = (RAM_B, stage.first_base), stage, layer.stored_output
        if not final and layer.own_output:
            result = (RAM_A, table.allocate(RAM_A, layer.units))
            stage.flags.add("second_enabled")
            stage.second_base = result[1]
    if final:
        emitter.flags |= {"emits", "emits_stored"} if stored else {"emits"}
    if not layer.return_sequences and (final or not layer.projection):
        emitter.flags.add("output_last_only")
    table.add(recurrent, matrices[1], number + 1)
    table.add(inputs, matrices[0], number)
    if layer.projection:
        table.add(emitter, matrices[2], number + 2)
    return result


def _dense(
    table: Table, layer: DenseSize, index: int, source: tuple[int, int], number: int, final: bool
) -> tuple[int, int]:
    phase = Phase(layer=index, part=0, flags={"dense"}, source_base=source[1], items=layer.outputs)
    if source[0] == RAM_B:
        phase.flags.add("source_ram")
    if index == 0:
        phase.flags |= {"waits_frame", "frees_frame"}
    result = source
    if final:
        phase.flags |= {"emits", "emits_stored"} if layer.stored_output else {"emits"}
    else:
        result = (1 - source[0], table.allocate(1 - source[0], layer.outputs))
        phase.flags |= {"first_enabled"} | ({"first_ram"} if result[0] == RAM_B else set())
        phase.first_base = result[1]
    table.add(phase, layer.matrices()[0], number)
    return result
