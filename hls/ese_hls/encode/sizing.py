"""The smallest design that holds a network, or each of several."""

from __future__ import annotations

from dataclasses import replace

from ese_hls.encode.encoder import fill
from ese_hls.encode.schedule import banks_needed
from ese_hls.encode.storage import Storage, pays
from ese_host.image.design import ACC_BITS, SCAN_WIDTH, Design, Mode
from ese_host.image.packing import Packing
from ese_host.ir.engine_formats import engine_formats
from ese_host.ir.network import Network


def choose_design(
    *networks: Network,
    pes: int,
    gap_bits: int = 5,
    acc_banks: int | None = None,
    cells_per_cycle: int | None = None,
    clock_mhz: int = 100,
    mode: Mode = "stream",
    fifo_depth: int = 8,
    storage: Storage = "auto",
) -> Design:
    """The design whose memories just hold each of the networks, depths rounded up to powers of two.

    It has full phases where a matrix is to be stored full and `storage.pays` holds, or `storage` is "full".

    Raises:
        UnsupportedError: two layers differ in weights, formats or activations, or an output is wider than 16 bits.
    """
    formats = engine_formats(networks)
    banks = max(banks_needed(network) for network in networks) if acc_banks is None else acc_banks
    units = 2 - pes % 2 if cells_per_cycle is None else cells_per_cycle
    packing = Packing(formats.weights, gap_bits, full_phases=storage != "sparse")
    fills = [fill(network, pes, packing, units, banks, mode, storage) for network in networks]
    full = any(choice.stored == "full" for packed in fills for choice in packed.choices)
    if full and storage == "auto" and not pays([packed.choices for packed in fills], packing, pes):
        sparse, full = replace(packing, full_phases=False), False
        fills = [fill(network, pes, sparse, units, banks, mode) for network in networks]
    plans = [packed.plan for packed in fills]

    def depth(needed: int, least: int = 2) -> int:
        return max(least, 1 << (needed - 1).bit_length())

    delta_words = max(plan.delta_words for plan in plans)
    pointers = max(packed.pointers.shape[1] for packed in fills)
    return Design(
        weights=formats.weights,
        gap_bits=gap_bits,
        pes=pes,
        cells_per_cycle=units,
        acc_bits=max(ACC_BITS[formats.weights], *(packed.acc_bits for packed in fills)),
        acc_banks=banks,
        entry_depth=max(1, *(packed.entries.shape[1] for packed in fills)),
        group_depth=depth(max(plan.groups for plan in plans)),
        vector_depth=depth(max(max(plan.vector_words) for plan in plans), SCAN_WIDTH if mode == "skip" else 2),
        param_depth=depth(max(-(-len(packed.scales) // units) for packed in fills)),
        cell_depth=depth(max(1, *(-(-len(packed.peepholes) // units) for packed in fills))),
        phases=max(len(plan.phases) for plan in plans),
        source=formats.source,
        state=formats.state,
        output=formats.output,
        gate=formats.gate,
        cell=formats.cell,
        clock_mhz=clock_mhz,
        mode=mode,
        fifo_depth=fifo_depth,
        pointer_depth=depth(pointers, SCAN_WIDTH) if mode == "skip" else 0,
        delta_depth=depth(delta_words, SCAN_WIDTH) if delta_words else 0,
        full_phases=full,
    )
