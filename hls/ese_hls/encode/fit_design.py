"""The smallest design that holds a network, or each of several, and their memories filled for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ese_hls.encode.encoder import FilledMemories, check_capacity, check_formats, fill
from ese_hls.encode.matrix_storage import Storage, full_phases_worthwhile
from ese_hls.encode.schedule import banks_needed
from ese_host.image import Design, Mode, Needs, Packing, smallest_design
from ese_host.ir import Network, common_formats


def choose_design(*networks: Network, **choices: Any) -> Design:
    """The smallest design that holds each of the networks; choices and errors as of `fit`."""
    return fit(networks, **choices)[0]


def fit(
    networks: Sequence[Network],
    *,
    pes: int,
    gap_bits: int = 5,
    acc_banks: int | None = None,
    cells_per_cycle: int | None = None,
    clock_mhz: int = 100,
    mode: Mode = "stream",
    fifo_depth: int = 8,
    storage: Storage = "auto",
) -> tuple[Design, tuple[FilledMemories, ...]]:
    """The design whose memories just hold each of the networks, and the memories of each.

    It has full phases where a matrix is to be stored full and `storage.pays` holds, or `storage` is "full".

    Args:
        networks: one image each.
        pes: processing elements.
        gap_bits: bits of the relative index.
        acc_banks: accumulators a row; as few as the scales allow where None.
        cells_per_cycle: element-wise units; two where None, one for an odd number of PEs.
        clock_mhz: clock that the design is meant for.
        mode: "stream" or "skip".
        fifo_depth: columns that a PE's FIFO holds, in skip mode.
        storage: how matrices are stored: each the cheaper way ("auto"), all "sparse", or all "full".

    Raises:
        UnsupportedError: two layers differ in weights, formats or activations, or an output is wider than 16 bits.
        CapacityError, FormatError: no design is large enough.
    """
    formats = common_formats(networks)
    banks = max(banks_needed(network) for network in networks) if acc_banks is None else acc_banks
    units = 2 - pes % 2 if cells_per_cycle is None else cells_per_cycle
    packing = Packing(formats.weights, gap_bits, full_phases=storage != "sparse")
    packed = [fill(network, pes, packing, units, banks, mode, storage) for network in networks]
    full = any(choice.stored == "full" for one in packed for choice in one.choices)
    if full and storage == "auto" and not full_phases_worthwhile([one.choices for one in packed], packing, pes):
        full, sparse = False, replace(packing, full_phases=False)
        packed = [fill(network, pes, sparse, units, banks, mode) for network in networks]
    design = smallest_design(
        Needs.most(one.needs for one in packed),
        formats,
        mode,
        pes=pes,
        gap_bits=gap_bits,
        cells_per_cycle=units,
        acc_banks=banks,
        clock_mhz=clock_mhz,
        fifo_depth=fifo_depth,
        full_phases=full,
    )
    for network, one in zip(networks, packed, strict=True):
        check_formats(network, design)
        check_capacity(one, design)
    return design, tuple(packed)
