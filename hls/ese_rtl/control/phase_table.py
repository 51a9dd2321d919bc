# SPDX-License-Identifier: Apache-2.0
"""The phase table: the records of an image, of which only those fields are kept that the engine reads."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Shape, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from ese_host.files import Field
from ese_host.image import FIELDS, FLAGS, record_words
from ese_host.ir import GATES
from ese_rtl.records import ELEMENT_BITS, LoadTarget, load_layout, set_bits
from ese_rtl.sizes import Sizes
from ese_rtl.skip import COLUMN_BITS, THRESHOLD_BITS


def kept_fields(sizes: Sizes) -> dict[str, Field]:
    """The fields of a phase record that the engine of a design reads, flags among them, each with its width there.

    Args:
        sizes: of the engine.
    """
    design = sizes.design
    delta = design.delta_depth
    widths = dict.fromkeys(("layer", "part", "window"), 0)
    widths["format_set"] = set_bits(design) if design.more_sets else 0
    if "gru" not in design.cells:
        widths["cell_kind"] = 0
    scan = {
        "pointer_base": sizes.pointer_address_bits,
        "columns": COLUMN_BITS,
        "group_base": sizes.row_bits - exact_log2(GATES),
        "threshold": THRESHOLD_BITS if delta else 0,
        "last_base": ceil_log2(delta) if delta else 0,
    }
    widths |= scan if sizes.skips else dict.fromkeys(scan, 0)
    widths |= {
        "codebook": 4 if design.weights == "codebook4" else 0,
        "stride_log2": 0 if sizes.skips else ceil_log2(sizes.row_bits + 1),
        "bank_positive": ceil_log2(design.acc_banks),
        "bank_negative": ceil_log2(design.acc_banks),
        "entry_base": 0 if sizes.skips else sizes.entry_address_bits,
        "source_base": sizes.column_bits,
        "param_base": ceil_log2(design.param_depth),
        "cell_base": ceil_log2(design.cell_depth),
        "first_base": sizes.column_bits,
        "second_base": sizes.column_bits,
        "rows": sizes.row_bits + 1 if design.full_phases else 0,
        # a bound is cut to the width of an element, so that no image makes a wider element
        "low": ELEMENT_BITS,
        "high": ELEMENT_BITS,
    }
    fields = {name: Field(0, bit, 1) for bit, name in enumerate(FLAGS) if name != "delta" or delta}
    for name, field in FIELDS.items():
        count = design.acc_banks if name == "bank_shift" else field.count
        if width := widths.get(name, field.width):
            fields[name] = Field(field.word, field.low, width, field.signed, count)
    return fields


def phase_layout(sizes: Sizes) -> data.StructLayout:
    """A phase's record as the engine keeps it.

    Args:
        sizes: of the engine.
    """

    def shape(field: Field) -> data.ArrayLayout | Shape:
        one = signed(field.width) if field.signed else Shape(field.width)
        return data.ArrayLayout(one, field.count) if field.count > 1 else one

    return data.StructLayout({name: shape(field) for name, field in kept_fields(sizes).items()})


def first_row(record: Any) -> Value:
    """The row with which a layer's rows begin in each PE, in skip mode. In stream mode all layers share their rows.

    Args:
        record: of a phase, with `phase_layout`.
    """
    first: Value = record.group_base << exact_log2(GATES)
    return first


class PhaseTable(wiring.Component):
    """One memory for each word of a record, read all together; LOAD writes one of them in a clock.

    Args:
        sizes: of the engine.
    """

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        super().__init__(
            {
                "load": In(load_layout(sizes.design)),
                "index": In(7),
                "phase": Out(phase_layout(sizes)),  # in the same clock
            }
        )

    def elaborate(self, _platform: object) -> Module:
        """One memory for each word of a record."""
        m = Module()
        fields = kept_fields(self._sizes)
        lstm = FLAGS.index("lstm")
        for word in range(record_words(self._sizes.design)[0]):
            parts: list[tuple[Value, Value]] = []
            for name, field in fields.items():
                if field.word == word:
                    target = self.phase[name]
                    targets = [target] if field.count == 1 else [target[i] for i in range(field.count)]
                    for number, part in enumerate(targets):
                        low = field.low + 8 * number
                        bits = self.load.data[low : low + field.width]
                        # no sound image has a stage of both kinds; an LSTM's it is then, as for csrc
                        parts.append((part, bits & ~self.load.data[lstm] if name == "dense" else bits))
            if not parts:
                continue
            m.submodules[f"word_{word}"] = memory = Memory(
                shape=sum(len(source) for _, source in parts),
                depth=self._sizes.design.phases,
                init=[],
                attrs={"ram_style": "distributed"},
            )
            write, read = memory.write_port(), memory.read_port(domain="comb")
            m.d.comb += [
                write.en.eq((self.load.memory == LoadTarget.PHASE) & (self.load.lane == word)),
                write.addr.eq(self.load.address),
                read.addr.eq(self.index),
            ]
            at = 0
            for part, source in parts:
                m.d.comb += [
                    write.data[at : at + len(source)].eq(source),
                    part.eq(read.data[at : at + len(source)]),
                ]
                at += len(source)
        return m
