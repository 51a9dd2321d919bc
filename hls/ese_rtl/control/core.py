# SPDX-License-Identifier: Apache-2.0
"""The core: everything but packets. It runs one sequence after the other on the image that was loaded last."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import EnableInserter, Module, Mux, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ese_host.image import FLAGS, Design
from ese_rtl.array import READ_LATENCY, WRITE_LATENCY, Array
from ese_rtl.control.beats import Beats
from ese_rtl.control.frames import FrameStore
from ese_rtl.control.parameters import Parameters, Tables
from ese_rtl.control.phase_table import PhaseTable, first_row
from ese_rtl.control.retire import WORD, Retire, overtaking_ports
from ese_rtl.control.sequencer import Sequencer
from ese_rtl.control.stage import Stage
from ese_rtl.control.sweeper import Sweeper
from ese_rtl.pipeline import later
from ese_rtl.records import Header, LoadTarget, is_kind, lines_layout, load_layout, set_bits
from ese_rtl.sizes import Sizes
from ese_rtl.unit import Unit


class Core(wiring.Component):
    """Sequencer, element-wise stage and PEs.

    Sequencer and stage stand still (`advance` is low) in a clock in which they would have to take an input word that is
    not there, or to give an output word that nobody takes; such clocks are not counted. The PEs go on meanwhile: they
    get no entry, and what they have begun only ends earlier than it had to.

    Args:
        design: of the engine.
        primitive: whether to instantiate DSP48E1s.
    """

    def __init__(self, design: Design, primitive: bool = False) -> None:
        self._design, self._primitive = design, primitive
        super().__init__(
            {
                "load": In(load_layout(design)),
                "header": In(Header),
                "start": In(1),  # run a sequence
                "steps": In(17),  # of so many frames,
                "zero": In(1),  # from h = c = 0,
                "trace": In(1),  # with all results as words
                "done": Out(1),
                "counting": Out(1),  # this clock counts
                "frames": In(stream.Signature(32)),
                "abort": In(1),  # the frames have ended too early
                "results": Out(stream.Signature(32)),
                "forget": In(1),  # clear all accumulators
                "forgotten": Out(1),
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """The parts, and what makes them stand still."""
        m = Module()
        sizes = Sizes(self._design)
        advance, step = Signal(), Signal()

        def part(name: str, component: wiring.Component, enable: Signal = advance) -> wiring.Component:
            """Add a part that stands still with the core, and starts anew when the sequence is aborted."""
            m.submodules[name] = ResetInserter(self.abort)(EnableInserter(enable)(component))
            return component

        sequencer = part("sequencer", Sequencer(sizes))
        beats = part("beats", Beats(sizes))
        sweeper = part("sweeper", Sweeper(sizes))
        frames = part("frames_store", FrameStore(sizes))
        stage = part("stage", Stage(sizes))
        retire = part("retire", Retire(sizes))
        units = [part(f"unit_{u}", Unit(self._design), step) for u in range(sizes.units)]
        lookups = [asked for unit in units for asked in unit.lookups]
        m.submodules.phases = phases = PhaseTable(sizes)
        m.submodules.tables = tables = Tables(sizes, len(lookups))
        m.submodules.array = array = Array(sizes, self._primitive)

        # Whether PEs read vector RAM A in the clock in which a word that is taken in the next one would be written.
        reading = beats.beat.run & ~beats.beat.source_ram
        with m.If(advance):
            reading = later(m, reading, READ_LATENCY - WRITE_LATENCY - 1, name="reading", reset=True)
        # PEs go on while the core stands still, so that a read may come in fewer counted clocks; the word then waits.
        read_now = array.beat.run & ~array.beat.source_ram
        in_use = later(m, read_now, READ_LATENCY - WRITE_LATENCY, name="in_use", reset=True)
        full = Signal()
        m.d.comb += [
            full.eq(retire.word_valid & ~self.results.ready),
            advance.eq(~full & ~(frames.wants & (~self.frames.valid | in_use))),
            step.eq(advance & retire.step),
            self.frames.ready.eq(frames.wants & ~full & ~in_use),
            frames.barred.eq(reading | retire.next_writes[0]),
            frames.word.eq(self.frames.payload),
            self.results.valid.eq(retire.word_valid & advance),
            self.results.payload.eq(retire.word),
        ]
        m.d.sync += self.done.eq((sequencer.done & advance) | self.abort)
        m.d.comb += [
            self.counting.eq(sequencer.active & advance),
            self.forgotten.eq(sweeper.forgotten),
            # the sequence
            sequencer.header.eq(self.header),
            sequencer.start.eq(self.start),
            sequencer.steps.eq(self.steps),
            sequencer.zero.eq(self.zero),
            phases.load.eq(self.load),
            phases.index.eq(sequencer.index),
            sequencer.record.eq(phases.phase),
            sequencer.frame_comes.eq(frames.storing),
            sequencer.last_entry.eq(array.finished if sizes.skips else beats.last),
            sequencer.stage_busy.eq(retire.busy),
            sequencer.stage_targets.eq(retire.targets),
            *(getattr(sequencer, name).eq(getattr(retire, name)) for name in overtaking_ports(sizes, Out)),
            sequencer.sweep_pending.eq(sweeper.pending),
            frames.inputs.eq(self.header.inputs),
            frames.begin.eq(sequencer.frame_begin),
            frames.count.eq(self.steps),
            frames.next.eq(sequencer.frame_next),
            beats.phase.eq(sequencer.phase),
            beats.set.eq(sequencer.fill_set),
            beats.prepare.eq(sequencer.prepare),
            beats.run.eq(sequencer.run),
            beats.sweep.eq(sweeper.sweep),
            beats.sweep_row.eq(sweeper.row),
            beats.sweep_set.eq(sweeper.set),
            sweeper.launch.eq(sequencer.launch),
            sweeper.launched_set.eq(sequencer.fill_set),
            sweeper.drained.eq(stage.drained),
            sweeper.rows.eq(stage.rows),
            sweeper.free.eq(~sequencer.run),
            sweeper.forget.eq(self.forget),
            # the stage
            stage.header.eq(self.header),
            *([stage.lines.eq(self._lines(m))] if self._design.more_sets else []),
            stage.launch.eq(sequencer.launch),
            stage.phase.eq(sequencer.phase),
            stage.fill_set.eq(sequencer.fill_set),
            stage.last_step.eq(sequencer.last_step),
            stage.zero_state.eq(sequencer.zero_state),
            stage.step.eq(retire.step),
            tables.load.eq(self.load),
            tables.step.eq(step),
            retire.launch.eq(sequencer.launch),
            retire.phase.eq(sequencer.phase),
            retire.record.eq(stage.record),
            retire.outputs.eq(stage.outputs),
            retire.trace.eq(self.trace),
            # the PEs
            array.load.eq(self.load),
            array.beat.eq(beats.beat),
            array.beat.run.eq(beats.beat.run & advance),
            array.beat.sweep.eq(beats.beat.sweep & advance),
            array.step.eq(step),
            array.drain_set.eq(stage.set),
            array.dense.eq(stage.record.dense),
            array.pe.eq(stage.pe),
            array.row.eq(stage.row),
        ]
        if sizes.skips:
            self._skip(m, advance, sequencer, beats, sweeper, stage, array)
        if "gru" in self._design.cells:
            with m.If(is_kind(stage.record, "reset")):  # whose sums are completed and read again
                m.d.comb += sweeper.rows.eq(0)
        for u, unit in enumerate(units):
            m.submodules[f"parameters_{u}"] = parameters = ResetInserter(self.abort)(Parameters(sizes, u))
            m.d.comb += [
                parameters.load.eq(self.load),
                parameters.launch.eq(sequencer.launch & advance),
                parameters.phase.eq(sequencer.phase),
                parameters.dense.eq(stage.record.dense),
                parameters.zero.eq(stage.zero),
                parameters.step.eq(step),
                parameters.valid.eq(stage.valid[u]),
                parameters.pair.eq(stage.pair[u]),
                parameters.cell_valid.eq(unit.cell_valid),
                parameters.cell_new.eq(unit.cell_new),
                unit.item.eq(parameters.item),
                unit.item.sums.eq(array.sums[u]),
                unit.settings.eq(stage.settings),
                retire.next_valid[u].eq(unit.next_valid),
                retire.next_pair[u].eq(unit.next_pair),
                retire.results[u].eq(unit.result),
            ]
        for lookup, asked in enumerate(lookups):
            m.d.comb += [tables.addresses[lookup].eq(asked.segment), asked.word.eq(tables.words[lookup])]
        for r, ram in enumerate(array.writes.rams):
            for stored, result in zip(ram, retire.writes[r], strict=True):
                m.d.comb += [stored.eq(result), stored.enable.eq(result.enable & advance)]
        for stored, result, frame in zip(array.writes.rams[0], retire.writes[0], frames.ports, strict=False):
            m.d.comb += stored.enable.eq((result.enable | frame.enable) & advance)
            with m.If(frames.wants):
                m.d.comb += [stored.address.eq(frame.address), stored.value.eq(frame.value)]
        return m

    def _lines(self, m: Module) -> Any:
        """The lines of the format sets but the first, as an image gives them."""
        lines = Signal(lines_layout(self._design))
        with m.If(self.load.line):
            number = self.load.address[: set_bits(self._design) + 1]
            m.d.sync += lines.as_value().word_select(number, WORD).eq(self.load.data)
        return lines

    def _skip(
        self,
        m: Module,
        advance: Signal,
        sequencer: Sequencer,
        beats: Beats,
        sweeper: Sweeper,
        stage: Stage,
        array: Array,
    ) -> None:
        """Skip mode: what the PEs' feed is told, and sums that stay from step to step.

        Layers have rows of their own, so that a sweep begins where the rows of its layer do. Sums of a delta phase
        stay; before a sequence from the state zero, all accumulators are cleared.
        """
        phase, delta = sequencer.phase, bool(self._design.delta_depth)
        fields = ["columns", "source_ram", "source_base", "pointer_base"]
        fields += ["delta", "threshold", "last_base"] if delta else []
        persistent = Signal()  # the image has a delta phase
        m.d.comb += [
            array.advance.eq(advance),
            array.abort.eq(self.abort),
            array.begin.eq(sequencer.frame_begin),
            array.zero.eq(self.zero),
            array.number.eq(sequencer.number),
            array.prepare.eq(sequencer.prepare),
            array.run.eq(sequencer.run),
            *(array.scan[name].eq(phase[name]) for name in fields),
            sequencer.forgotten.eq(sweeper.forgotten),
            sequencer.persistent.eq(persistent),
            # what follows takes the place of stream mode's connections
            beats.sweep_row.eq(sweeper.row + Mux(sweeper.pending.any(), first_row(stage.record), 0)),
            sweeper.forget.eq(self.forget | sequencer.forget),
        ]
        if self._design.full_phases:
            m.d.sync += array.scan.full.eq(phase.rows.any())
        if not delta:
            return
        m.d.comb += sweeper.rows.eq(Mux(stage.record.delta, 0, stage.rows))
        flag = FLAGS.index("delta")
        with m.If((self.load.memory == LoadTarget.PHASE) & (self.load.lane == 0)):
            first = self.load.address == 0
            m.d.sync += persistent.eq(self.load.data[flag] | (persistent & ~first))
