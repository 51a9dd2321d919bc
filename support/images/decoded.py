# SPDX-License-Identifier: Apache-2.0
"""Compares what the second decoder reads from an image with the network that the image was made of."""

from __future__ import annotations

import zlib

import numpy as np

from ese_host.image import Design
from ese_host.ir import Fixed, Gru, Layer, Lstm, Matrix, Network
from support.second_decoder import DecodedImage, DecodedPhase, Facts, decode

PARTS = ("kernel", "recurrent", "projection", "candidate")
"""Names of a layer's matrices, by the number of the part (docs/reference/image-format.md, word 9 of a record)."""


def facts(design: Design) -> Facts:
    """The properties of a design that the second decoder reads from a manifest."""
    return Facts.of(design.to_json())


def changed(data: bytes, *flips: tuple[int, int]) -> bytes:
    """An image with some bits of some words flipped and the checksum made right again.

    Args:
        data: the image.
        flips: the number of each word, and which of its bits are flipped.
    """
    words = np.frombuffer(data, dtype="<u4").copy()
    for word, flipped in flips:
        words[word] ^= flipped
    words[-1] = zlib.crc32(words[:-1].tobytes())
    return words.tobytes()


def matrices(net: Network) -> dict[tuple[int, int], Matrix]:
    """All matrices of a network, by index of layer and part."""
    return {
        (index, number): matrix
        for index, layer in enumerate(net.layers)
        for number, name in enumerate(PARTS)
        if (matrix := getattr(layer, name, None)) is not None
    }


def check_image(data: bytes, net: Network, design: Design) -> DecodedImage:
    """Check that an image gives a network back, value by value.

    Args:
        data: the image.
        net: the network that it was made of.
        design: the design that it was made for.

    Returns:
        The decoded image.
    """
    image = decode(data, facts(design))
    wanted = matrices(net)
    assert {(phase.record["layer"], phase.record["part"]) for phase in image.phases} == set(wanted)
    for phase in image.phases:
        layer, part = phase.record["layer"], phase.record["part"]
        matrix = wanted[layer, part]
        np.testing.assert_array_equal(phase.matrix, matrix.levels)
        np.testing.assert_array_equal(np.transpose(phase.scales), matrix.scale)
        if matrix.codebook is not None:
            assert image.codebooks[phase.record["codebook"]] == matrix.codebook.tolist()
        _check_stage(phase, net.layers[layer])
        _check_cells(phase, net.layers[layer], image, design)
        _check_threshold(phase, net.layers[layer])
    _check_shifts(image.phases, net)
    np.testing.assert_array_equal(np.transpose(image.table), net.table)
    assert (image.header["inputs"], image.header["outputs"]) == (net.inputs, net.outputs)
    assert image.header["flags"] & 1 == net.every_step
    return image


def _check_stage(phase: DecodedPhase, layer: Layer) -> None:
    """Check bias, peepholes and ReLU of a phase with a stage, and that a phase without a stage has none of them."""
    record = phase.record
    assert record["relu"] == getattr(layer, "relu", False)
    peepholes = getattr(layer, "peepholes", None)
    assert record["peephole"] == (record["cells"] and peepholes is not None)
    if not record["cells"]:
        assert not phase.peepholes
    elif not isinstance(layer, Gru):
        wanted = np.zeros((3, record["items"]), dtype=np.int64) if peepholes is None else peepholes
        np.testing.assert_array_equal(np.transpose(phase.peepholes), wanted)
    if PARTS[record["part"]] == "projection":
        assert record["dense"]
        assert not any(phase.bias)
    else:
        assert phase.bias == (layer.bias.tolist() if record["cells"] or record["dense"] else [])


def _check_cells(phase: DecodedPhase, layer: Layer, image: DecodedImage, design: Design) -> None:
    """Check the kind of a phase's cells, their format set, and the slopes and offsets of its activations."""
    record = phase.record
    if not record["cells"]:
        assert not record["cell_kind"] and not record["format_set"]
        return
    assert isinstance(layer, Lstm | Gru)
    formats = design.sets[record["format_set"]]
    found = [(a.kind, a.out) for a in (formats.gate, formats.cell)]
    assert formats.state == layer.state and found == [(a.kind, a.out) for a in (layer.gate, layer.cell)]
    if record["second"] or record["leave_stored"] or record["first_output"]:
        assert formats.output == layer.product
    lines = [line & 0xFFFF | line >> 16 << 32 for line in image.lines[record["format_set"]]]
    assert lines == [a.slope | a.offset << 32 for a in (layer.gate, layer.cell)]
    if isinstance(layer, Gru) and layer.reset is not None and PARTS[record["part"]] != "candidate":
        assert record["cell_kind"] == 3
        assert (record["smallest"], record["largest"]) == (layer.reset.low, layer.reset.high)
        assert record["shift_output"] == layer.gate.out.frac + layer.state.frac - layer.reset.frac
        return
    assert record["cell_kind"] == (0 if isinstance(layer, Lstm) else 1 if layer.reset is None else 2)


def _check_threshold(phase: DecodedPhase, layer: Layer) -> None:
    """Check the thresholds of a delta layer at its two matrices; they are zero if a matrix has none."""
    part = phase.record["part"]
    delta = isinstance(layer, Lstm | Gru) and layer.is_delta and part < 2
    assert phase.record.get("delta", 0) == delta
    if isinstance(layer, Lstm | Gru) and delta:
        assert phase.record["threshold"] == ((layer.delta_input, layer.delta_state)[part] or 0)


def _multiplied(layer: Layer, part: str) -> Fixed:
    """Format of the vector that a matrix of a layer multiplies."""
    if part == "kernel" or not isinstance(layer, Lstm | Gru):
        return layer.source
    if isinstance(layer, Gru) and part == "candidate":
        assert layer.reset is not None
        return layer.reset
    return layer.state if part == "recurrent" else layer.product


def _check_shifts(phases: list[DecodedPhase], net: Network) -> None:
    """Check that the shifts tell the binary points, as the page says."""
    for stage in (phase for phase in phases if phase.bias):
        layer = net.layers[stage.record["layer"]]
        alone = PARTS[stage.record["part"]] == "projection"
        if not alone:
            assert stage.record["shift_bias"] == 36 - layer.bias_frac
        if isinstance(layer, Lstm) and layer.peepholes is not None and not alone:
            assert stage.record["shift_peephole"] == 36 - layer.bias_frac - layer.state.frac
        for phase in phases:
            part = PARTS[phase.record["part"]]
            if phase.record["layer"] != stage.record["layer"] or (part == "projection") != alone:
                continue
            shift = 36 - _multiplied(layer, part).frac - getattr(layer, part).scale_frac
            banks = phase.record["positive_bank"], phase.record["negative_bank"]
            if phase.rows != (3,):
                assert all(stage.record[f"shift_{bank}"] == shift for bank in banks)
            if isinstance(layer, Gru) and 3 in phase.rows:
                assert stage.record["shift_peephole"] == shift
