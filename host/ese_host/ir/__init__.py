"""Networks in integer arithmetic: fixed-point formats, layers, and the golden model that defines their outputs."""

from ese_host.ir.activations import CELL_BITS, SLOPE, Activation, ActivationKind, check_cell
from ese_host.ir.engine_formats import (
    ELEMENT_BITS,
    EngineFormats,
    common_formats,
    fits_source,
    stored_output,
    without_line,
)
from ese_host.ir.fixed import Codes, Fixed, round_half_even
from ese_host.ir.mask_families import ESTIMATED, MASK_FAMILIES, Balance, MaskFamily
from ese_host.ir.network import GATES, MAX_THRESHOLD, PARTS, SCALE_BITS, Dense, Layer, Lstm, Matrix, Network
from ese_host.ir.quantizers import TellsCodebook, TellsCodes, tells_codes
from ese_host.ir.sequences import (
    INTEGERS,
    NUMBERS,
    Lengths,
    alike,
    are_frames,
    are_lengths,
    by_name,
    check_codes,
    full_lengths,
    integers_of,
    lengths_of,
    sequences_of,
    shown,
)
from ese_host.ir.tables import TABLE_SIZE, VALUE_FRAC, tanh_table
from ese_host.ir.weight_kinds import WEIGHT_KINDS, WeightCode, WeightKind

__all__ = [
    "CELL_BITS",
    "ELEMENT_BITS",
    "ESTIMATED",
    "GATES",
    "INTEGERS",
    "MASK_FAMILIES",
    "MAX_THRESHOLD",
    "NUMBERS",
    "PARTS",
    "SCALE_BITS",
    "SLOPE",
    "TABLE_SIZE",
    "VALUE_FRAC",
    "WEIGHT_KINDS",
    "Activation",
    "ActivationKind",
    "Balance",
    "Codes",
    "Dense",
    "EngineFormats",
    "Fixed",
    "Layer",
    "Lengths",
    "Lstm",
    "MaskFamily",
    "Matrix",
    "Network",
    "TellsCodebook",
    "TellsCodes",
    "WeightCode",
    "WeightKind",
    "alike",
    "are_frames",
    "are_lengths",
    "by_name",
    "check_cell",
    "check_codes",
    "common_formats",
    "fits_source",
    "full_lengths",
    "integers_of",
    "lengths_of",
    "round_half_even",
    "sequences_of",
    "shown",
    "stored_output",
    "tanh_table",
    "tells_codes",
    "without_line",
]
