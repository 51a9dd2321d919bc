# SPDX-License-Identifier: Apache-2.0
"""Finds the smallest design that holds a network, or each of several networks, and fills their memories for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ese_hls.encode.encoder import FilledMemories, check_capacity, check_formats, fill
from ese_hls.encode.schedule import banks_needed
from ese_hls.encode.storage_choice import Storage, full_phases_worthwhile
from ese_host.image import Design, EntryWidths, Mode, Needs, SizeError, smallest_design
from ese_host.ir import Network, common_formats


def choose_design(*networks: Network, **choices: Any) -> Design:
    """The smallest design that holds each of the networks. It takes the options and raises the errors of `fit`."""
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
    window: int = 0,
) -> tuple[Design, tuple[FilledMemories, ...]]:
    """Find the smallest design whose memories hold each of the networks, and fill the memories for each network.

    The design has full phases if `storage` is "full". With "auto" it has them if a matrix is cheaper to store full and
    `full_phases_worthwhile` holds.

    Args:
        networks: the networks; each becomes one image.
        pes: number of PEs.
        gap_bits: bits of the gap (relative index) of an entry.
        acc_banks: accumulators per row: 1, 2 or 4; None for as few as the scales allow.
        cells_per_cycle: element-wise units: 1 or 2; None for two, or one if the number of PEs is odd.
        clock_mhz: intended clock frequency in MHz.
        mode: "stream" or "skip".
        fifo_depth: columns that the FIFO of a PE holds; used only in skip mode.
        storage: how matrices are stored: "auto" (each in the cheaper way), all "sparse", or all "full".
        window: columns of the activation window, in stream mode; 0 for none.

    Returns:
        The design, and the filled memories of each network.

    Raises:
        UnsupportedError: if two layers differ in weights, formats or activations, an output is wider than 16 bits, or
            the engine cannot run a network.
        MismatchError: if the formats of a network differ from those of the design.
        SizeError: if no design with so many PEs is large enough; the message names the layer and the memory.
        CapacityError: if a sum could overflow.
        FormatError: if an argument is outside the range that a design allows.
    """
    formats = common_formats(networks)
    banks = max(banks_needed(network) for network in networks) if acc_banks is None else acc_banks
    units = 2 - pes % 2 if cells_per_cycle is None else cells_per_cycle
    widths = EntryWidths(formats.weights, gap_bits, full_phases=storage != "sparse")
    filled = [fill(network, pes, widths, units, banks, mode, storage, window) for network in networks]
    full = any(choice.stored == "full" for memories in filled for choice in memories.choices)
    choices = [memories.choices for memories in filled]
    if full and storage == "auto" and not full_phases_worthwhile(choices, widths, pes):
        full, sparse_widths = False, replace(widths, full_phases=False)
        filled = [fill(network, pes, sparse_widths, units, banks, mode, columns_held=window) for network in networks]
    for network, memories in zip(networks, filled, strict=True):
        _check_sizes(network, memories, widths, mode, pes)
    design = smallest_design(
        Needs.most(memories.needs for memories in filled),
        formats,
        mode,
        window,
        pes=pes,
        gap_bits=gap_bits,
        cells_per_cycle=units,
        acc_banks=banks,
        clock_mhz=clock_mhz,
        fifo_depth=fifo_depth,
        full_phases=full,
    )
    for network, memories in zip(networks, filled, strict=True):
        check_formats(network, design)
        check_capacity(memories, design)
    return design, tuple(filled)


def _check_sizes(network: Network, memories: FilledMemories, widths: EntryWidths, mode: Mode, pes: int) -> None:
    """Refuse a network that is too large for any design of so many PEs; the error names its largest layer."""
    try:
        memories.needs.check_sizes(widths, mode, max(item.phase.entry_count for item in memories.schedule.phases))
    except SizeError as error:
        sizes = [sum(matrix.codes.size for matrix in layer.matrices().values()) for layer in network.layers]
        largest = network.layers[sizes.index(max(sizes))].name
        raise SizeError(f"layer {largest!r}, with {pes} PEs: {error}", error.shared) from error
