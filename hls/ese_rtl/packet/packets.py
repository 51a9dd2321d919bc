# SPDX-License-Identifier: Apache-2.0
"""Takes packets one by one, and answers each: LOAD fills the memories, RUN lets the core compute, RESET forgets."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ese_host.image import HEADER, HEADER_FIELDS, Design
from ese_host.protocol import OPERATION_BASE, ErrorCode, Operation, RunFlag
from ese_rtl.packet.answer import Reply, Status
from ese_rtl.packet.checksum import Checksum
from ese_rtl.packet.header_check import HeaderCheck, keep_header
from ese_rtl.packet.intake import Intake
from ese_rtl.packet.phase_check import PhaseCheck
from ese_rtl.packet.ports import WORD, WORD_BITS, PacketWord, Report, halves_alike
from ese_rtl.packet.scan_check import ScanCheck
from ese_rtl.packet.sections import SectionLoader
from ese_rtl.records import Header, load_layout
from ese_rtl.states import States

STEP_BITS = 17
LEFT_BITS = WORD_BITS + 1
STATES = (
    "idle", "first", "operation", "decode", "flags", "image_id", "number", "add", "count", "header",
    "header_compared", "header_weighed", "header_checked", "sections", "checksum", "summing", "summed", "compare",
    "verdict", "skip", "check", "steps", "weigh", "begin", "run", "sequence_done", "drain", "end", "conclude", "forget",
    "trailer",
)  # fmt: skip


class Packets(wiring.Component):
    """The part of the engine between its streams and its core.

    The core works while a sequence of RUN is under way, from `start` until it answers with `done`. It may take words
    from `frames` and push words to `results` at any clock in between. If it asks for a word that the packet does not
    have, it gets `abort` in the next clock; it then stops at once, and answers with `done` nevertheless. After LOAD,
    RESET and every packet with an error it gets `forget`, and clears all accumulators.

    Attributes:
        words: packets in. `ready` is a register, low from a packet's last word until its answer is complete.
        answer: answers out. `valid` and the word are registers.
        started: packets may be taken; it is looked at before each packet.
        idle: no packet is under way.
        answered: a packet has been answered; for one clock.
        report: the trailer's words, for the registers.
        load: writes into the memories, at most one in a clock.
        header: what the header of the image says.
        start: a sequence begins; for one clock.
        zero: it begins from h = c = 0; holds from `start` to `done`, like `steps` and `trace`.
        steps: its steps.
        trace: element-wise results leave, in place of the outputs.
        done: the sequence is complete, and all its words have been pushed before; for one clock.
        counting: the cycle counter advances.
        frames: the sequence's input words.
        abort: a word was asked for that the packet does not have; for one clock.
        results: output words of the core; `ready` is a register.
        forget: clear all accumulators; for one clock.
        forgotten: that is done; for one clock, at the earliest the clock after `forget`.
    """

    def __init__(self, design: Design) -> None:
        """Make the part for a design."""
        self._design = design
        super().__init__(
            {
                "words": In(stream.Signature(PacketWord)),
                "answer": Out(stream.Signature(PacketWord)),
                "started": In(1),
                "idle": Out(1),
                "answered": Out(1),
                "report": Out(Report),
                "load": Out(load_layout(design)),
                "header": Out(Header),
                "start": Out(1),
                "zero": Out(1),
                "steps": Out(STEP_BITS),
                "trace": Out(1),
                "done": In(1),
                "counting": In(1),
                "frames": Out(WORD),
                "abort": Out(1),
                "results": In(WORD),
                "forget": Out(1),
                "forgotten": In(1),
            }
        )
        self._intake, self._sections, self._checksum = Intake(), SectionLoader(design), Checksum()
        self._header_check, self._reply = HeaderCheck(design), Reply()
        self._skips = design.mode == "skip"
        self._phase_check = ScanCheck(design) if self._skips else PhaseCheck(design)
        self._status = Signal(Status)
        self._trace, self._keep = Signal(), Signal()
        self._has_state = Signal()  # the last sequence has left h and c, from which the next one may continue
        self._loaded = Signal()  # an image is there, and its id is not zero
        self._missing = Signal()  # a word was needed after the packet's last one
        self._drained = Signal()  # words were left behind what the packet's header says
        # what is left of the image's words or of the sequences, less one; it is spent if nothing is left
        self._left = Signal(LEFT_BITS)
        self._count = Signal()
        self._spent = self._left[-1]
        self._no_low, self._no_high = Signal(), Signal()  # half of the word taken last is zero, one clock late
        self._matches = Signal(2)  # RUN names the image that is loaded: the low half of its id, the high half

    def elaborate(self, _platform: object) -> Module:
        """The circuit. What depends on a word is decided in the clock after it has been taken."""
        m = Module()
        m.submodules.intake = intake = self._intake
        m.submodules.sections = sections = self._sections
        m.submodules.header_check = self._header_check
        m.submodules.phase_check = self._phase_check
        m.submodules.checksum = self._checksum
        m.submodules.reply = reply = self._reply
        wiring.connect(m, wiring.flipped(self.words), intake.words)
        wiring.connect(m, wiring.flipped(self.results), reply.results)
        wiring.connect(m, reply.words, wiring.flipped(self.answer))
        m.d.comb += [
            reply.status.eq(self._status),
            self.report.eq(reply.report),
            self.answered.eq(reply.done),
            self.load.eq(sections.load),
            self.frames.payload.eq(intake.word),
            self.frames.valid.eq(intake.have),
            intake.pass_on.eq(self.frames.ready),
            self.steps.eq(intake.taken),
            self.trace.eq(self._trace),
        ]
        m.d.sync += [self.start.eq(0), self.abort.eq(0), self.forget.eq(0)]
        with m.If(self.counting):
            m.d.sync += self._status.cycles.eq(self._status.cycles + 1)
        add, same, image = Signal(), Signal(2), Signal()
        with m.If(add | self._count):
            m.d.sync += self._left.eq(self._left + Mux(add, intake.taken, -1))
        m.d.comb += same.eq(halves_alike(intake.taken, self._status.image_id))
        m.d.sync += [self._no_low.eq(intake.taken[:16] == 0), self._no_high.eq(intake.taken[16:] == 0)]
        m.d.comb += [
            self._checksum.word.eq(Mux(image, intake.taken, reply.checked)),
            # an image's last word is its CRC
            self._checksum.valid.eq(Mux(image, intake.fresh & ~self._spent, reply.checked_valid)),
            reply.crc.eq(self._checksum.crc),
        ]
        m.d.comb += [
            sections.word.eq(intake.word),
            sections.have.eq(intake.have),
            sections.before.eq(intake.taken[WORD_BITS // 2 :]),
            self._phase_check.load.eq(sections.load),
        ]
        in_header = Signal()
        last = self._check_header(m, same, in_header)
        self._states = States(m, STATES)
        self._errors: list[Signal] = []
        self._takes: list[Signal] = []
        self._begin(m, add, same, image)
        self._load(m, in_header, last)
        self._run(m)
        shortened = self._end(m, image)
        error = self._status.error
        m.d.sync += error.eq(reduce(or_, self._errors, error))
        m.d.comb += intake.take.eq(reduce(or_, self._takes))
        with m.If(intake.open):
            m.d.sync += error.eq(ErrorCode.OK)
        with m.If(shortened):
            m.d.sync += error.eq(ErrorCode.SHORT_PACKET)
        return m

    def _begin(self, m: Module, add: Signal, same: Signal, image: Signal) -> None:
        """From the packet's first word to the number of its words or sequences."""
        intake, status = self._intake, self._status
        taken = intake.taken
        with self._states.state("idle"):
            m.d.comb += [self.idle.eq(~self.started), intake.open.eq(self.started)]
            m.d.sync += [self._missing.eq(0), self._drained.eq(0), self._left.eq(0)]
            m.d.sync += [status.cycles.eq(0), status.sequences.eq(0), status.steps.eq(0)]
            with m.If(self.started):
                self._states.go("first")
        with self._states.state("first"):
            m.d.comb += [self._checksum.restart.eq(1), self._phase_check.begin.eq(1), self._sections.begin.eq(1)]
            self._wait_for_word(m, "operation")
        known = Signal()
        with self._states.state("operation"):
            m.d.sync += known.eq(taken[2:] == OPERATION_BASE >> 2)
            self._states.go("decode")
        with self._states.state("decode"):
            m.d.sync += status.operation.eq(Mux(known, taken[:2], Operation.UNREADABLE))
            with m.If(~known | (taken[:2] == Operation.UNREADABLE)):
                self._refuse(m, ErrorCode.BAD_OPERATION)
            with m.Elif(taken[:2] == Operation.LOAD):
                self._states.go("number")
            with m.Elif(taken[:2] == Operation.RUN):
                self._states.go("flags")
            with m.Else():
                self._states.go("drain")
        with self._states.state("flags"):
            self._wait_for_word(m, "image_id")
        with self._states.state("image_id"):
            m.d.sync += [self._trace.eq(taken[_bit(RunFlag.TRACE)]), self._keep.eq(taken[_bit(RunFlag.KEEP)])]
            self._wait_for_word(m, "number")
        with self._states.state("number"):
            m.d.sync += self._matches.eq(same)
            self._wait_for_word(m, "add")
        with self._states.state("add"):
            m.d.comb += add.eq(1)
            self._states.go("count")
        with self._states.state("count"):
            m.d.comb += self._count.eq(1)
            with m.If(status.operation == Operation.LOAD):
                # until the image is complete, its id is the number of its words
                m.d.sync += [status.image_id.eq(taken), self._loaded.eq(0), image.eq(1)]
                self._states.go("header")
            with m.Else():
                self._states.go("check")

    def _check_header(self, m: Module, same: Signal, in_header: Signal) -> Signal:
        """Check and keep a word of the header in the clock after it was taken. Returns whether the last one comes."""
        intake, sections = self._intake, self._sections
        place, checked_place = Signal(range(len(HEADER))), Signal(range(len(HEADER)))
        checked = Signal()
        m.d.sync += [checked.eq(in_header), checked_place.eq(place), place.eq(place + in_header)]
        m.d.comb += [
            self._header_check.begin.eq(intake.open),
            self._header_check.valid.eq(checked),
            self._header_check.place.eq(place),
            self._header_check.word.eq(intake.taken),
            self._header_check.same.eq(same),
            sections.header_valid.eq(checked),
            sections.header_place.eq(checked_place),
            sections.header_word.eq(intake.taken),
        ]
        if self._skips:  # the number of column pointers shares a word with the flags
            count = HEADER_FIELDS["pointers"]
            with m.If(checked_place == count.word):
                m.d.comb += sections.header_word.eq(intake.taken[count.low :])
        with m.If(intake.open):
            m.d.sync += place.eq(0)
        with m.If(checked):
            pointers = self._phase_check.pointers if self._skips else None
            keep_header(m, checked_place, intake.taken, self.header, self._phase_check.entry_words, pointers)
        return place == len(HEADER) - 1

    def _load(self, m: Module, in_header: Signal, last: Signal) -> None:
        """The words of an image. After the last one that the packet announces, they count as zeros."""
        intake, sections, status, spent = self._intake, self._sections, self._status, self._spent
        with self._states.state("header"):
            with m.If(spent | intake.have):
                m.d.comb += [intake.clear.eq(spent), self._count.eq(~spent)]
                self._take(m, ~spent)
                m.d.comb += in_header.eq(1)
                with m.If(last):
                    self._states.go("header_compared")
            with m.Elif(intake.ended):
                self._miss(m)
        with self._states.state("header_compared"):
            self._states.go("header_weighed")
        with self._states.state("header_weighed"):
            self._states.go("header_checked")
        with self._states.state("header_checked"):
            self._set_error(m, self._header_check.error)
            with m.If(self._header_check.error == ErrorCode.OK):
                self._states.go("sections")
            with m.Else():
                self._states.go("skip")
        with self._states.state("sections"):
            m.d.comb += [sections.active.eq(~spent), self._count.eq(sections.take & ~spent)]
            self._take(m, sections.take & ~spent)
            with m.If(sections.finished | spent):
                self._states.go("checksum")
            with m.Elif(sections.wants & intake.ended):
                self._miss(m)
        with self._states.state("checksum"):
            with m.If(spent | intake.have):
                m.d.comb += [intake.clear.eq(spent), self._count.eq(~spent)]
                self._take(m, ~spent)
                self._states.go("summing")
            with m.Elif(intake.ended):
                self._miss(m)
        with self._states.state("summing"):
            self._states.go("summed")
        with self._states.state("summed"):  # if words are left, the CRC takes in this one too
            self._states.go("compare")
        sound = Signal(2)
        with self._states.state("compare"):
            m.d.sync += sound.eq(halves_alike(intake.taken, self._checksum.crc))
            self._states.go("verdict")
        with self._states.state("verdict"):
            m.d.sync += [status.image_id.eq(intake.taken), self._loaded.eq(~(self._no_low & self._no_high))]
            with m.If(~sound.all()):
                self._set_error(m, ErrorCode.BAD_CRC)
            with m.Elif(~self._phase_check.inside):
                self._set_error(m, ErrorCode.TOO_LARGE)
            self._states.go("skip")
        with self._states.state("skip"):
            with m.If(spent):
                self._states.go("drain")
            with m.Elif(intake.have):
                m.d.comb += self._count.eq(1)
                self._take(m)
            with m.Elif(intake.ended):
                self._miss(m)

    def _run(self, m: Module) -> None:
        """Check RUN's header, and let the core run sequence after sequence."""
        intake, status = self._intake, self._status
        no_low, no_high = self._no_low, self._no_high
        unfit = Signal()  # what was known before the sequences were counted is enough to refuse RUN
        m.d.sync += unfit.eq(~(self._loaded & self._matches.all() & no_high))
        with self._states.state("check"):
            with m.If(~self._loaded):
                self._set_error(m, ErrorCode.NO_IMAGE)
            with m.Elif(~self._matches.all()):
                self._set_error(m, ErrorCode.WRONG_IMAGE)
            with m.Elif(self._spent | ~no_high):
                self._set_error(m, ErrorCode.BAD_LENGTH)
            with m.If(unfit | self._spent):
                self._states.go("drain")
            with m.Else():
                self._states.go("steps")
        with self._states.state("steps"):
            self._wait_for_word(m, "weigh")
        with self._states.state("weigh"):
            self._states.go("begin")
        with self._states.state("begin"):
            m.d.sync += self.zero.eq(~(self._keep & self._has_state))
            with m.If(no_low | ~no_high):
                self._refuse(m, ErrorCode.BAD_LENGTH)
            with m.Else():
                m.d.sync += self.start.eq(1)
                self._states.go("run")
        with self._states.state("run"):
            with m.If(self.frames.ready & intake.ended & ~self._missing):
                m.d.sync += [self._missing.eq(1), self.abort.eq(1)]
            with m.If(self.done):
                m.d.comb += self._count.eq(1)
                m.d.sync += [
                    self._has_state.eq(1),
                    status.sequences.eq(status.sequences + 1),
                    status.steps.eq(status.steps + intake.taken[:16]),
                ]
                self._states.go("sequence_done")
        with self._states.state("sequence_done"):
            with m.If(self._missing):
                self._states.go("end")
            with m.Elif(self._spent):
                self._states.go("drain")
            with m.Else():
                self._states.go("steps")

    def _end(self, m: Module, image: Signal) -> Signal:
        """Take what is left of the packet, forget what must be forgotten, and answer.

        Returns whether the packet is found too short, in this clock.
        """
        shortened = Signal()
        intake, status, reply = self._intake, self._status, self._reply
        with self._states.state("drain"):
            with m.If(intake.have):
                self._take(m)
                m.d.sync += self._drained.eq(1)
            with m.Elif(intake.ended):
                self._states.go("end")
        with self._states.state("end"):
            m.d.comb += self._checksum.restart.eq(image)
            m.d.sync += image.eq(0)
            m.d.comb += shortened.eq(self._missing)
            with m.If(self._drained & (status.error == ErrorCode.OK)):
                self._set_error(m, ErrorCode.LONG_PACKET)
            self._states.go("conclude")
        bad = status.error != ErrorCode.OK
        with self._states.state("conclude"):
            with m.If((status.operation == Operation.LOAD) & bad):
                m.d.sync += [status.image_id.eq(0), self._loaded.eq(0)]
            with m.If((status.operation == Operation.RUN) & ~bad):
                m.d.comb += reply.end.eq(1)
                self._states.go("trailer")
            with m.Else():
                m.d.sync += [self.forget.eq(1), self._has_state.eq(0)]
                self._states.go("forget")
        with self._states.state("forget"), m.If(self.forgotten):
            m.d.comb += reply.end.eq(1)
            self._states.go("trailer")
        with self._states.state("trailer"), m.If(reply.done):
            self._states.go("idle")
        return shortened

    def _wait_for_word(self, m: Module, then: str) -> None:
        """Take a word and go on, or end if the packet has none."""
        self._take(m)
        with m.If(self._intake.have):
            self._states.go(then)
        with m.If(self._intake.ended):
            self._miss(m)

    def _take(self, m: Module, condition: Value | int = 1) -> None:
        """Take a word. All such places together are or-ed, as those of errors: the states exclude one another."""
        here = Signal(name="take_here")
        m.d.comb += here.eq(condition)
        self._takes.append(here)

    def _miss(self, m: Module) -> None:
        """Note that a needed word is missing, and end."""
        m.d.sync += self._missing.eq(1)
        self._states.go("end")

    def _refuse(self, m: Module, code: ErrorCode) -> None:
        """Refuse the packet, and take what is left of it."""
        self._set_error(m, code)
        self._states.go("drain")

    def _set_error(self, m: Module, code: ErrorCode | Signal) -> None:
        """Set the error code, which is zero until now. All such places together are or-ed."""
        here = Signal(ErrorCode, name="error_here")
        m.d.comb += here.eq(code)
        self._errors.append(here)


def _bit(flag: RunFlag) -> int:
    """Number of a flag's bit."""
    return flag.value.bit_length() - 1
