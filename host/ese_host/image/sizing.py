"""The smallest design that holds what networks need of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from ese_host.errors import CapacityError
from ese_host.image.design import SCAN_WIDTH, Design, Mode
from ese_host.image.plan import StepPlan
from ese_host.ir import WEIGHT_KINDS, EngineFormats

MAX_ENTRIES = (1 << 16) - 1
"""Entries of one matrix that a PE counts."""


@dataclass(frozen=True)
class Needs:
    """What a network needs of a design, by the names of `Design`'s fields; depths are not yet rounded."""

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
        """The needs of a plan whose entries take so many words a PE, and whose sums so many bits.

        Args:
            plan: of one step, its sums placed.
            pes: processing elements.
            units: element-wise units.
            entry_words: words of entry memory a PE.
            acc_bits: width of an accumulator.
            pointers: column pointers a PE; stream mode has none.
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
        """What holds each of several networks."""
        rows = [asdict(one) for one in needs]
        return cls(**{name: max(row[name] for row in rows) for name in rows[0]})

    def check(self, design: Design) -> None:
        """Refuse a design that is too small.

        Raises:
            CapacityError: naming the memory, what is needed and what is there.
        """
        for name, needed in asdict(self).items():
            if needed > getattr(design, name):
                raise CapacityError(
                    f"the network needs {name} = {needed}; the design has {getattr(design, name)}: "
                    "prune more, use more PEs, or emit a larger design"
                )


def smallest_design(needs: Needs, formats: EngineFormats, mode: Mode = "stream", **chosen: Any) -> Design:
    """The design with these formats whose memories just hold what is needed, depths rounded up to powers of two.

    Args:
        needs: of all its networks.
        formats: the fields that networks decide.
        mode: "stream" or "skip".
        chosen: the user's choices: `pes`, `gap_bits`, `cells_per_cycle`, `acc_banks`, `clock_mhz`, and those of
            `Design`'s fields that have a default.

    Raises:
        FormatError: a value is beyond what any design has.
    """
    skips = mode == "skip"
    return Design(
        weights=formats.weights,
        acc_bits=max(WEIGHT_KINDS[formats.weights].acc_bits, needs.acc_bits),
        entry_depth=max(1, needs.entry_depth),
        group_depth=_depth(needs.group_depth),
        vector_depth=_depth(needs.vector_depth, SCAN_WIDTH if skips else 2),
        param_depth=_depth(needs.param_depth),
        cell_depth=_depth(needs.cell_depth),
        phases=needs.phases,
        source=formats.source,
        state=formats.state,
        output=formats.output,
        gate=formats.gate,
        cell=formats.cell,
        mode=mode,
        pointer_depth=_depth(needs.pointer_depth, SCAN_WIDTH) if skips else 0,
        delta_depth=_depth(needs.delta_depth, SCAN_WIDTH) if needs.delta_depth else 0,
        **chosen,
    )


def check_entries(longest: int) -> None:
    """Refuse a matrix of which one PE has more entries than it counts.

    Raises:
        CapacityError: it has.
    """
    if longest > MAX_ENTRIES:
        raise CapacityError(
            f"a PE has {longest} entries of one matrix; {MAX_ENTRIES} are counted: use more PEs or prune more"
        )


def _depth(needed: int, least: int = 2) -> int:
    return max(least, 1 << (needed - 1).bit_length()) if needed else least
