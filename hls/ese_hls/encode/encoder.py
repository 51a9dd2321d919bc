# SPDX-License-Identifier: Apache-2.0
"""The encoder: it turns a network into the words of an image for one design (docs/reference/image-format.md)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from ese_hls.encode.bounds import acc_bits_of, check_row_sums
from ese_hls.encode.schedule import MatrixPhase, Schedule, schedule
from ese_hls.encode.storage_choice import Storage, StorageChoice, encode_matrix
from ese_host.errors import MismatchError, UnsupportedError
from ese_host.files import Words, pack
from ese_host.image import (
    FORMAT_VERSION,
    HEADER,
    HEADER_FIELDS,
    MAGIC,
    RAM_BITS,
    Design,
    EntryWidths,
    Mode,
    Needs,
    Phase,
    check_entries,
    parse,
    pointers,
    section_slices,
    sum_frac,
    window,
)
from ese_host.ir import (
    GATES,
    MAX_SETS,
    SLOPE,
    VALUE_FRAC,
    Codes,
    Dense,
    Gru,
    Layer,
    Lstm,
    Network,
    Recurrent,
    fits_source,
    set_numbers,
)


@dataclass
class FilledMemories:
    """The contents of all memories of the engine for one network.

    Attributes:
        schedule: the phases, with their base addresses in all memories.
        needs: the memory depths and the accumulator width that a design must have.
        entries: (pes, entry words) words of entry memory.
        counts: (phases, pes) number of entries of each PE in each phase.
        starts: for each phase (pes, columns + 1) the number of the entry with which each column begins, and the total
            number of entries; empty in stream mode.
        advances: for each phase (beats,) whether the activation window advances; empty without a window.
        scales: (params, 4, banks) scales of each item. A cell has a column for each gate; of any other matrix, a column
            is a row, and the rows that a unit computes are packed four to an item.
        biases: (params, 4) biases of each item, in the same columns.
        peepholes: (cells, 3) peephole weights of each cell.
        choices: how the matrix of each phase is stored, and why.
    """

    schedule: Schedule
    needs: Needs
    entries: Codes
    counts: Codes
    starts: tuple[Codes, ...]
    advances: tuple[window.Bits, ...]
    scales: Codes
    biases: Codes
    peepholes: Codes
    choices: tuple[StorageChoice, ...]

    @property
    def codebooks(self) -> list[Codes]:
        """The (16,) levels of each phase whose matrix has a codebook, in the order of the phases."""
        return [p.matrix.codebook for p in self.schedule.phases if p.matrix.codebook is not None]


def encode(network: Network, design: Design, storage: Storage = "auto") -> bytes:
    """Encode a network as the image for a design, and check the image with the strict reader.

    Args:
        network: the network.
        design: the design.
        storage: how matrices are stored: "auto", "sparse" or "full". A design without full phases stores all sparse.

    Returns:
        The bytes of the image.

    Raises:
        MismatchError: if formats, activations or weights differ from those of the design, or if `storage` is "full"
            and the design has no full phases.
        CapacityError: if a memory is too small, or a sum could overflow.
        UnsupportedError: if the engine cannot hold a scale, bias or format.
    """
    return image_of(network, prepare(network, design, storage), design)


def prepare(network: Network, design: Design, storage: Storage = "auto") -> FilledMemories:
    """Fill the memories of a design for a network, and check that they fit.

    Args:
        network: the network.
        design: the design.
        storage: how matrices are stored, as for `encode`.

    Returns:
        The filled memories, with the choice of storage for each matrix.

    Raises:
        MismatchError: as for `encode`.
        CapacityError: as for `encode`.
        UnsupportedError: as for `encode`.
    """
    check_formats(network, design)
    if storage == "full" and not design.full_phases:
        raise MismatchError(
            "storage is 'full'; the design has no full phases: emit a design for this network, or use 'auto'"
        )
    units, banks = design.cells_per_cycle, design.acc_banks
    memories = fill(network, design.pes, design.widths, units, banks, design.mode, storage, design.window)
    check_capacity(memories, design)
    return memories


def image_of(network: Network, memories: FilledMemories, design: Design) -> bytes:
    """Write filled memories as an image, and check the image with the strict reader.

    Args:
        network: the network.
        memories: its memories, as `prepare` fills them.
        design: the design.

    Returns:
        The bytes of the image.
    """
    words = assemble(network, memories, design)
    parse(words, design, "encoded image")
    return words.astype("<u4").tobytes()


def fill(
    network: Network,
    pes: int,
    widths: EntryWidths,
    units: int,
    banks: int,
    mode: Mode = "stream",
    storage: Storage = "auto",
    columns_held: int = 0,
) -> FilledMemories:
    """Schedule a network and fill memories for it that are as large as it needs.

    Args:
        network: the network.
        pes: number of PEs.
        widths: widths of entries and codes, and whether matrices may be stored full.
        units: element-wise units.
        banks: accumulator banks, which are accumulators per row.
        mode: "stream" or "skip".
        storage: how matrices are stored: "auto", "sparse" or "full".
        columns_held: columns of the activation window; 0 for none.

    Raises:
        CapacityError: if a scaled sum could overflow.
        UnsupportedError: if the engine cannot run the network.
    """
    planned = schedule(network, pes, banks, mode, columns_held)
    choices: list[StorageChoice] = []
    entries: list[Codes] = []
    starts: list[Codes] = []
    advances: list[window.Bits] = []
    counts, scales, biases, peepholes = [], [], [], []
    entry_words = pointers_used = params = cells = 0
    for item in planned.phases:
        phase = item.phase
        layer_and_part = network.layers[phase.layer].name, phase.part
        encoded, choice = encode_matrix(
            item.matrix, item.interleave, widths, mode, storage, layer_and_part, columns_held
        )
        words, count = encoded.words(widths), encoded.counts
        phase.entry_base, phase.entry_count, phase.rows = entry_words, int(count.max(initial=0)), encoded.rows
        phase.stride_log2 = item.interleave.stride_log2
        phase.pointer_base = pointers_used
        entries.append(words)
        counts.append(count)
        advances.append(encoded.advances)
        choices.append(choice)
        entry_words += words.shape[1]
        if encoded.starts:
            starts.append(np.array(encoded.starts))
            pointers_used += phase.columns + 1
        if item.layer is None or phase.resets:
            continue
        phase.param_base = params // units
        scale, bias = _parameters(item, item.layer, planned, banks)
        check_row_sums(item, item.layer, planned, scale, bias)
        scales.append(_parameter_items(scale, phase, units))
        biases.append(_parameter_items(bias, phase, units))
        params += len(scales[-1])
        if phase.has("lstm"):
            phase.cell_base = cells // units
            rows = -(-phase.items // units) * units
            peephole = np.zeros((rows, 3), dtype=np.int64)
            if isinstance(item.layer, Lstm) and item.layer.peepholes is not None:
                peephole[: phase.items] = item.layer.peepholes.T
            peepholes.append(peephole)
            cells += rows
    for reset in (item for item in planned.phases if item.phase.resets):
        final = planned.final_of(reset)
        reset.phase.param_base, reset.phase.cell_base = final.phase.param_base, final.phase.cell_base
    return FilledMemories(
        planned,
        Needs.of(planned.plan, pes, units, entry_words, acc_bits_of(planned), pointers_used),
        np.concatenate(entries, axis=1),
        np.array(counts),
        tuple(starts),
        tuple(advances),
        np.concatenate(scales),
        np.concatenate(biases),
        np.concatenate(peepholes) if peepholes else np.zeros((0, 3), dtype=np.int64),
        tuple(choices),
    )


def _parameters(item: MatrixPhase, layer: Layer, planned: Schedule, banks: int) -> tuple[Codes, Codes]:
    """(items, columns, banks) scales and (items, columns) biases: four columns for a cell, one for any other row."""
    phase = item.phase
    columns = GATES if phase.has("lstm") else 1
    scale = np.zeros((phase.items, columns, banks), dtype=np.int64)
    bias = np.zeros((phase.items, columns), dtype=np.int64)
    for part in planned.summed_before(item):
        of_columns = part.columns(columns)
        rows = part.matrix.scale.reshape(2, len(of_columns), phase.items)
        for block, column in enumerate(of_columns):
            scale[:, column, part.phase.bank_positive] = rows[0, block]
            if part.phase.bank_negative != part.phase.bank_positive:
                scale[:, column, part.phase.bank_negative] = rows[1, block]
    if item.part != "projection":
        bias[:] = layer.bias.reshape(columns, phase.items).T
    if bias.min() < -(1 << 15) or bias.max() >= 1 << 15:
        raise UnsupportedError(
            f"layer {layer.name!r}: bias codes reach from {bias.min()} to {bias.max()}; the engine holds 16 bits "
            f"(-32768 to 32767): use a bias_quantizer with fewer bits"
        )
    return scale, bias


def _parameter_items(values: Codes, phase: Phase, units: int) -> Codes:
    """Put scales or biases into the items of the image, filled up with zeros.

    Unit u computes every `units`-th item of the stage, from item u on. The rows that it computes for a matrix which is
    no LSTM's are packed four to an item of the image.

    Args:
        values: (items, columns, ...) values of the stage.
        phase: the record of the stage.
        units: element-wise units.

    Returns:
        (params, 4, ...) values; the k-th item of unit u is number k * units + u.
    """
    items, columns, *rest = values.shape
    together = GATES // columns
    params = phase.parameter_items(units) * units
    filled = np.zeros((params * together, columns, *rest), dtype=np.int64)
    filled[:items] = values
    return filled.reshape(-1, together, units, columns, *rest).swapaxes(1, 2).reshape(params, GATES, *rest)


def check_formats(network: Network, design: Design) -> None:
    """Refuse a network whose formats differ from those of the design.

    Raises:
        MismatchError: if a format, an activation or the kind of weights differs.
    """
    if not fits_source(network.source, design.source):
        _refuse("the network's input format", network.source, design.source)
    for layer in network.layers:
        for part, matrix in layer.matrices().items():
            if matrix.kind != design.weights:
                _refuse(f"layer {layer.name!r}: {part} weights", matrix.kind, design.weights)
        kind = "gru" if isinstance(layer, Gru) else "lstm"
        if isinstance(layer, Recurrent) and kind not in design.cells:
            _refuse(f"layer {layer.name!r}: kind of cell", kind, design.cells)
    set_numbers(network, design.sets)


def _refuse(what: str, found: object, expected: object) -> None:
    raise MismatchError(
        f"{what} is {found}; the design has {expected}: use one quantizer for all layers, or emit a design for this "
        "network"
    )


def check_capacity(memories: FilledMemories, design: Design) -> None:
    """Refuse memories that do not fit the design, or sums that could overflow its accumulators.

    Raises:
        CapacityError: if something does not fit; it names the memory, its needed size and its actual size.
    """
    memories.needs.check(design)
    check_entries(max(p.phase.entry_count for p in memories.schedule.phases))


def assemble(network: Network, memories: FilledMemories, design: Design) -> Words:
    """Assemble all words of an image, with the checksum at the end.

    Args:
        network: the network.
        memories: its filled memories.
        design: the design.
    """
    words, sets = [0] * len(HEADER), set_numbers(network, design.sets)
    for name, number in _header_numbers(network, memories).items():
        HEADER_FIELDS[name].put(words, number)
    values = dict(zip(HEADER, words, strict=True)) | {
        "magic": MAGIC,
        "version": FORMAT_VERSION,
        "design_id": design.design_id,
        "phases": len(memories.schedule.phases),
        "entry_words": memories.entries.shape[1],
        "params": len(memories.scales),
        "cells": len(memories.peepholes),
        "codebooks": len(memories.codebooks),
        "inputs": network.inputs,
        "outputs": network.outputs,
        "weights": sum(int(np.count_nonzero(p.matrix.codes)) for p in memories.schedule.phases),
    }
    lines = _lines(network, sets)
    values["gate_line"], values["cell_line"] = lines[:2]
    values["words"] = section_slices(values, design)["checksum"].stop
    parts = [np.array([values[name] for name in HEADER], dtype=np.uint32)]
    skip = design.mode == "skip"
    for planned in memories.schedule.phases:
        if planned.phase.has("lstm"):
            planned.phase.format_set = sets[planned.phase.layer]
    for planned, counts in zip(memories.schedule.phases, memories.counts, strict=True):
        parts += [planned.phase.to_words(skip)] + ([] if skip else [pack(counts, 16)])
    if memories.codebooks:
        parts.append(pack(np.concatenate(memories.codebooks), 16))
    parts.append(pack(np.concatenate([memories.scales, memories.biases[:, :, None]], axis=2), 16))
    parts.append(pack(memories.peepholes, 16))
    parts.append(pack(memories.entries.T, design.widths.word_bits))
    if design.window:
        full = [planned.phase.full for planned in memories.schedule.phases]
        parts.append(window.section(memories.advances, full, design.widths))
    parts += [pack(_pointers(memories, design).T, RAM_BITS)]
    parts.append(np.array(lines[2 : 2 * len(design.sets)], dtype=np.uint32))
    parts.append((network.table[0] | network.table[1] << VALUE_FRAC).astype(np.uint32))
    content = np.concatenate(parts)
    crc = np.array([zlib.crc32(content.astype("<u4").tobytes())], dtype=np.uint32)
    return np.concatenate([content, crc])


def _header_numbers(network: Network, memories: FilledMemories) -> dict[str, int]:
    """The numbers that share a word of the header with others, by their names in `HEADER_FIELDS`.

    Raises:
        UnsupportedError: if the outputs have a negative number of fractional bits.
    """
    output, final = network.output_format, network.layers[-1]
    exact_frac = sum_frac(final) if isinstance(final, Dense) else final.exact_output.frac
    output_frac = exact_frac if output is None else output.frac
    if output_frac < 0:
        raise UnsupportedError(
            f"layer {final.name!r}: its output{'' if output is None else f', {output},'} has {output_frac} fractional "
            "bits; an image says 0 or more: give it at most as many integer bits as bits, by its quantizer or by "
            "Precision under hls_config's LayerName"
        )
    numbers = {
        "every_step": int(network.every_step),
        "alternate": int(memories.schedule.plan.alternate),
        "pointers": memories.needs.pointer_depth,
        "output_frac": output_frac,
        "acc_bits": memories.needs.acc_bits,
    }
    if output is not None and any(p.phase.has("emits_stored") for p in memories.schedule.phases):
        numbers |= {"outputs_stored": 1, "outputs_signed": int(output.signed)}
    return numbers


def _lines(network: Network, sets: dict[int, int]) -> list[int]:
    """Two words for each of the format sets that an engine may have: the lines of its gate and of its cell activation.

    Args:
        network: the network.
        sets: number of the format set of each recurrent layer, by the layer's place.
    """
    words = [0] * (2 * MAX_SETS)
    for at, number in sets.items():
        layer = network.layers[at]
        if isinstance(layer, Recurrent):
            for place, activation in enumerate((layer.gate, layer.cell)):
                words[2 * number + place] = activation.slope | activation.offset << SLOPE.bits
    return words


def _pointers(memories: FilledMemories, design: Design) -> Codes:
    """(pes, pointers) column pointers of all phases; no pointers in stream mode."""
    fields = [
        pointers.to_fields(starts, item.phase.entry_base, item.phase.full, design.widths)
        for item, starts in zip(memories.schedule.phases, memories.starts, strict=False)
    ]
    return np.concatenate(fields, axis=1) if fields else np.zeros((design.pes, 0), dtype=np.int64)
