# SPDX-License-Identifier: Apache-2.0
"""A plain, slow engine: it answers RUN packets, phase by phase (docs/reference/image-format.md, "Running an image")."""

from __future__ import annotations

from collections import defaultdict

from support.second_decoder.arithmetic import Item, LoadedActivation, cell_of, gru_of, reset_of, row_of
from support.second_decoder.bits import signed
from support.second_decoder.decoder import DecodedImage, DecodedPhase
from support.second_decoder.design import Facts
from support.second_decoder.records import LSTM, RESET, RESET_AFTER, place_of_row

RUN, TRACE, KEEP = 0x45530002, 1, 2


class Interpreter:
    """An engine of a design that holds an image."""

    def __init__(self, image: DecodedImage, facts: Facts) -> None:
        self.image, self.facts = image, facts
        self.activations = [
            (
                LoadedActivation(formats["gate"]["kind"], formats["gate"]["out"], gate_line, image.table),
                LoadedActivation(formats["cell"]["kind"], formats["cell"]["out"], cell_line, image.table),
            )
            for formats, (gate_line, cell_line) in zip(facts.sets, image.lines, strict=True)
        ]
        self.has_state = False
        self._clear()

    def _clear(self) -> None:
        self.sums: dict[tuple[int, ...], int] = defaultdict(int)
        self.cells: dict[int, int] = defaultdict(int)
        self.vectors = [[0] * self.facts.design["vector_depth"] for _ in range(2)]
        self.last: dict[int, int] = defaultdict(int)

    def answer(self, packet: list[int]) -> list[int]:
        """The words that a sound RUN packet is answered with, before the trailer."""
        operation, flags, image_id, sequences = packet[:4]
        assert (operation, image_id) == (RUN, self.image.crc)
        self.trace, words, at = bool(flags & TRACE), [], 4
        inputs = self.image.header["inputs"]
        size = (inputs + 1) // 2
        for _ in range(sequences):
            steps, at = packet[at], at + 1
            frames = []
            for _ in range(steps):
                halves = [word >> 16 * half & 0xFFFF for word in packet[at : at + size] for half in (0, 1)]
                is_signed = self.facts.design["source"]["signed"]
                frames.append([signed(code, 16) if is_signed else code for code in halves[:inputs]])
                at += size
            words += self._sequence(frames, keep=bool(flags & KEEP))
        assert at == len(packet)
        return words

    def _sequence(self, frames: list[list[int]], keep: bool) -> list[int]:
        self.zero = not (keep and self.has_state)
        self.has_state = True
        if self.zero:
            self._clear()
        self.frames, self.stored = iter(frames), False
        words: list[int] = []
        for phase in self.image.phases:
            if phase.record["ahead"]:
                words += self._phase(phase, 0, False)
        for step in range(len(frames)):
            last = step + 1 == len(frames)
            for phase in self.image.phases:
                ahead = phase.record["ahead"]
                if not ((ahead and last) or (phase.record["last_step"] and not last)):
                    words += self._phase(phase, step + ahead, last)
            self.zero = False
        return words

    def _phase(self, phase: DecodedPhase, step: int, last: bool) -> list[int]:
        """Run a phase of a step; returns the words that leave."""
        record = phase.record
        chosen = record["set"] ^ (self.image.header["flags"] >> 1 & step & 1)
        if record["wait"] and not self.stored:
            frame = next(self.frames)
            self.vectors[0][: len(frame)] = frame
            self.stored = True
        if not (record["state"] and self.zero):
            self._matrix(phase, chosen)
        if record["release"]:
            self.stored = False
        return self._stage(phase, chosen, last) if phase.bias else []

    def _place(self, phase: DecodedPhase, row: int, item: int) -> tuple[int, int]:
        """PE of a row of an item, and the row's number there, from the phase's first group on."""
        pe, local = item % self.facts.pes, item // self.facts.pes
        return pe, 4 * phase.record.get("group", 0) + local * phase.group + row

    def _matrix(self, phase: DecodedPhase, chosen: int) -> None:
        record = phase.record
        columns = len(phase.matrix[0])
        x = self.vectors[record["source_b"]][record["source"] : record["source"] + columns]
        if record.get("delta"):
            present = x
            before = [self.last[record["last"] + column] for column in range(columns)]
            x = [now - old if abs(now - old) > record["threshold"] else 0 for now, old in zip(x, before, strict=True)]
            for column in range(columns):
                if x[column]:
                    self.last[record["last"] + column] = present[column]
        items = len(phase.matrix) // len(phase.rows)
        for number, levels in enumerate(phase.matrix):
            place = self._place(phase, phase.rows[number // items], number % items)
            for value, level in zip(x, levels, strict=True):
                if level:
                    bank = record["positive_bank"] if level > 0 else record["negative_bank"]
                    self.sums[(chosen, bank, *place)] += level * value

    def _stage(self, phase: DecodedPhase, chosen: int, last: bool) -> list[int]:
        record = phase.record
        takes_part = last or not record["second_last"]
        results = [self._item(phase, item, chosen) for item in range(record["items"])]
        for item, result in enumerate(results):
            if record["second"] and takes_part:
                self.vectors[record["second_b"]][record["second_target"] + item] = result.stored
            if record["first"]:
                self.vectors[record["first_b"]][record["first_target"] + item] = result.first
        if self.trace:
            return [
                word
                for item in results
                for word in (*exact_words(item.exact), item.first & 0xFFFFFFFF, item.cell & 0xFFFFFFFF)
            ]
        if not (record["leave"] and takes_part):
            return []
        if not record["leave_stored"]:
            return [word for result in results for word in exact_words(result.exact)]
        halves = [result.stored & 0xFFFF for result in results] + [0]
        return [halves[item] | halves[item + 1] << 16 for item in range(0, len(results), 2)]

    def _item(self, phase: DecodedPhase, item: int, chosen: int) -> Item:
        record, kind = phase.record, phase.record["cell_kind"]
        totals = []
        for row in range(phase.group):
            place = self._place(phase, row, item)
            *scales, bias = self.image.params[place_of_row(record, row, item, self.facts.units)]
            total = bias << record["shift_bias"]
            for bank, scale in enumerate(scales):
                shift = record["shift_peephole" if kind != LSTM and row == 3 else f"shift_{bank}"]
                total += self.sums[(chosen, bank, *place)] * scale << shift
                if not (record.get("delta") or kind == RESET):
                    self.sums[(chosen, bank, *place)] = 0
            totals.append(total)
        if record["dense"]:
            return row_of(totals[0], record)
        cell = record["first_cell"] * self.facts.units + item
        before, formats = self.cells[cell], self.facts.sets[record["format_set"]]
        activations = self.activations[record["format_set"]]
        if kind == RESET:
            return reset_of(totals[1], before, record, activations[0])
        if kind == LSTM:
            result = cell_of(totals, before, phase.peepholes[item], record, formats, activations)
        else:
            result = gru_of(totals, before, kind == RESET_AFTER, formats, activations)
        self.cells[cell] = result.cell
        return result


def exact_words(value: int) -> list[int]:
    """The two words of an exact value."""
    return [value & 0xFFFFFFFF, value >> 32 & 0xFFFFFFFF]
