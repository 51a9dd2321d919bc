"""Designs and images: sizes of layers, the schedule of a step, sparse entries, the image file and its stored form."""

from ese_host.image.design import (
    FORMAT_VERSION,
    MAX_PES,
    SCAN_WIDTH,
    SUM_BITS,
    SUM_FRAC,
    WRITEBACK,
    Design,
    Mode,
    check_ids,
    words_of,
)
from ese_host.image.entry_widths import GAP_BITS, RAM_BITS, EntryWidths
from ese_host.image.interleave import Interleave, Positions, entries, entries_per_pe, max_gap, padding_passes
from ese_host.image.phases import Phase
from ese_host.image.plan import StepPlan, plan_step
from ese_host.image.reader import (
    HEADER,
    HEADER_FIELDS,
    MAGIC,
    Image,
    padding_entries,
    parse,
    read_header,
    section_slices,
)
from ese_host.image.sizes import DenseSize, LayerSize, LstmSize, MatrixSize, sizes_of
from ese_host.image.sizing import MAX_ENTRIES, Needs, SizeError, check_entries, smallest_design, sum_frac

__all__ = [
    "FORMAT_VERSION",
    "GAP_BITS",
    "HEADER",
    "HEADER_FIELDS",
    "MAGIC",
    "MAX_ENTRIES",
    "MAX_PES",
    "RAM_BITS",
    "SCAN_WIDTH",
    "SUM_BITS",
    "SUM_FRAC",
    "WRITEBACK",
    "DenseSize",
    "Design",
    "EntryWidths",
    "Image",
    "Interleave",
    "LayerSize",
    "LstmSize",
    "MatrixSize",
    "Mode",
    "Needs",
    "Phase",
    "Positions",
    "SizeError",
    "StepPlan",
    "check_entries",
    "check_ids",
    "entries",
    "entries_per_pe",
    "max_gap",
    "padding_entries",
    "padding_passes",
    "parse",
    "plan_step",
    "read_header",
    "section_slices",
    "sizes_of",
    "smallest_design",
    "sum_frac",
    "words_of",
]
