# SPDX-License-Identifier: Apache-2.0
"""The smallest design that holds given networks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from ese_host.errors import CapacityError
from ese_host.image.design import (
    MAX_DEPTHS,
    MAX_PES,
    PARAM_DEPTHS,
    SCAN_WIDTH,
    SUM_BITS,
    SUM_FRAC,
    Design,
    Mode,
    is_aligned,
    pointer_reach,
)
from ese_host.image.entry_widths import EntryWidths
from ese_host.image.plan import StepPlan
from ese_host.ir import WEIGHT_KINDS, Dense, EngineFormats

Made = TypeVar("Made")

DEFAULT_PES = 8
"""Processing elements of a design, unless the user or the model's size asks for others."""
MAX_ENTRIES = (1 << 16) - 1
"""Most entries of one matrix that a PE can count."""
MEMORIES = {
    "entry_depth": "words of weights in each PE",
    "group_depth": "groups of four rows in each PE",
    "vector_depth": "elements in a vector memory",
    "param_depth": "items of scales and biases in each element-wise unit",
    "cell_depth": "LSTM cells in each element-wise unit",
    "phases": "weight matrices",
    "pointer_depth": "column pointers in each PE",
    "delta_depth": "elements in the memory of delta networks",
    "acc_bits": "bits in an accumulator",
}
"""What the fields of `Needs` count, for messages."""
SHARED = ("entry_depth", "group_depth")
"""Those of them that become less with more PEs."""


class SizeError(CapacityError):
    """A network needs a memory that no design with so many PEs has.

    Attributes:
        shared: whether the PEs share what does not fit, so that more of them may help.
    """

    def __init__(self, message: str, shared: bool = True) -> None:
        super().__init__(message)
        self.shared = shared


@dataclass(frozen=True)
class Needs:
    """Requirements of a network on a design, under the names of `Design`'s fields; depths are not yet rounded up."""

    entry_depth: int
    group_depth: int
    vector_depth: int
    param_depth: int
    cell_depth: int
    phases: int
    acc_bits: int
    pointer_depth: int = 0
    delta_depth: int = 0

    @classmethod
    def of(cls, plan: StepPlan, pes: int, units: int, entry_words: int, acc_bits: int, pointers: int = 0) -> Needs:
        """Requirements of a network with a given plan.

        Args:
            plan: the plan of one step; for delta layers `place_sums` must have been called on it.
            pes: number of PEs.
            units: number of element-wise units.
            entry_words: words of entry memory per PE.
            acc_bits: least width of an accumulator in bits.
            pointers: column pointers per PE; 0 in stream mode.
        """
        return cls(
            entry_depth=entry_words,
            group_depth=plan.groups(pes),
            vector_depth=max(plan.vector_words),
            param_depth=plan.parameter_rows(units),
            cell_depth=plan.cell_rows(units),
            phases=len(plan.phases),
            acc_bits=acc_bits,
            pointer_depth=pointers,
            delta_depth=plan.delta_words,
        )

    @classmethod
    def most(cls, needs: Iterable[Needs]) -> Needs:
        """Requirements of an engine that runs several networks: the maximum of each field."""
        rows = [asdict(item) for item in needs]
        return cls(**{name: max(row[name] for row in rows) for name in rows[0]})

    def check(self, design: Design) -> None:
        """Refuse a design that is too small.

        Raises:
            CapacityError: if a field of the design is less than needed.
        """
        for name, needed in asdict(self).items():
            if needed > getattr(design, name):
                raise CapacityError(
                    f"the network needs {needed} {MEMORIES[name]} ({name}); the design has {getattr(design, name)}: "
                    "prune more, use more PEs, or emit a larger design"
                )

    def check_sizes(self, widths: EntryWidths, mode: Mode, longest: int) -> None:
        """Refuse what is too large for any design with the same number of PEs.

        Args:
            widths: widths of entries.
            mode: "stream" or "skip".
            longest: entries of one matrix in the PE that has most.

        Raises:
            SizeError: if something is.
        """
        most = {**MAX_DEPTHS, "acc_bits": SUM_BITS}
        if mode == "skip":
            most["entry_depth"] = min(most["entry_depth"], pointer_reach(widths))
        for name, needed in asdict(self).items():
            if needed > most[name]:
                text = f"{needed:,} {MEMORIES[name]} are needed, and at most {most[name]:,} are possible"
                raise SizeError(text, shared=name in SHARED)
        if longest > MAX_ENTRIES:
            raise SizeError(_too_many(longest))


def with_enough_pes(first: int | None, make: Callable[[int], Made]) -> tuple[Made, int, SizeError | None]:
    """Make something for a number of PEs, and if it is too large for them, for twice as many, and so on.

    Args:
        first: the number of PEs to begin with; None for `DEFAULT_PES`.
        make: function of the number of PEs.

    Returns:
        What was made, the number of PEs for which it was, and what the first number was too small for; None if it was
        enough.

    Raises:
        SizeError: if more PEs do not help, or as many as an engine can have are not enough.
    """
    pes, cause = first or DEFAULT_PES, None
    while True:
        try:
            return make(pes), pes, cause
        except SizeError as error:
            cause = cause or error
            if not error.shared:
                raise
            if pes == MAX_PES:
                raise SizeError(f"{cause}; {pes} PEs are not enough either") from cause
            pes = min(2 * pes, MAX_PES)


def smallest_design(
    needs: Needs, formats: EngineFormats, mode: Mode = "stream", window: int = 0, **chosen: Any
) -> Design:
    """The smallest design that meets the requirements, with depths rounded up to what a design allows.

    Args:
        needs: requirements of all networks.
        formats: fields of the design that follow from the networks.
        mode: "stream" or "skip".
        window: columns of the activation window; 0 for none.
        chosen: fields of the design that the user chooses: `pes`, `gap_bits`, `cells_per_cycle`, `acc_banks`, and any
            field that has a default, such as `clock_mhz`.

    Raises:
        FormatError: if a value is outside the range allowed for a design.
    """
    skips, (first, *more) = mode == "skip", formats.sets
    return Design(
        weights=formats.weights,
        acc_bits=max(WEIGHT_KINDS[formats.weights].acc_bits, needs.acc_bits),
        entry_depth=max(1, needs.entry_depth),
        group_depth=_depth(needs.group_depth),
        vector_depth=_depth(needs.vector_depth, SCAN_WIDTH if is_aligned(mode, window) else 2),
        param_depth=next((depth for depth in PARAM_DEPTHS if depth >= needs.param_depth), needs.param_depth),
        cell_depth=_depth(needs.cell_depth),
        phases=needs.phases,
        source=formats.source,
        state=first.state,
        output=first.output,
        gate=first.gate,
        cell=first.cell,
        cells=formats.cells,
        more_sets=tuple(more),
        mode=mode,
        window=window,
        pointer_depth=_depth(needs.pointer_depth, SCAN_WIDTH) if skips else 0,
        delta_depth=_depth(needs.delta_depth, SCAN_WIDTH) if needs.delta_depth else 0,
        **chosen,
    )


def sum_frac(layer: Dense) -> int:
    """Fractional bits of a Dense layer's sums in the engine: 36, or as many as its largest sum leaves room for.

    Only the image's shifts say where the binary point of such a sum is, so that it may differ from layer to layer.
    """
    frac, low, high = layer.exact_range
    bits = max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0) + 1
    return min(SUM_FRAC, SUM_BITS - bits + frac)


def check_entries(longest: int) -> None:
    """Refuse a matrix of which a PE has more entries than it can count.

    Args:
        longest: entries of the PE that has most.

    Raises:
        SizeError: if it has more than `MAX_ENTRIES`.
    """
    if longest > MAX_ENTRIES:
        raise SizeError(f"{_too_many(longest)}: use more PEs or prune more")


def _too_many(longest: int) -> str:
    return f"{longest:,} entries of one matrix are in a PE, and at most {MAX_ENTRIES:,} are possible"


def _depth(needed: int, least: int = 2) -> int:
    return max(least, 1 << (needed - 1).bit_length()) if needed else least
