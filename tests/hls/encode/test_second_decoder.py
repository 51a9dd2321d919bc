"""Tests that docs/image-format.md is complete: a decoder written from only that page gives every network back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ese_hls.encode.encoder import encode
from ese_hls.encode.storage_choice import Storage
from ese_host.image.design import Design
from ese_host.ir.network import Dense, Lstm, Matrix, Network
from support.designs import PATTERNS, SKIP_SPECS, SPECS, roomy
from support.networks import network, widened
from support.second_decoder import DecodedPhase, Facts, decode


def facts(design: Design) -> Facts:
    skip = design.mode == "skip"
    return Facts(
        design.pes, design.acc_banks, design.cells_per_cycle, design.gap_bits, design.weights, skip, design.full_phases
    )


def matrices(net: Network) -> dict[tuple[int, int], Matrix]:
    """All matrices of a network, by index of layer and part."""
    found: dict[tuple[int, int], Matrix] = {}
    for index, layer in enumerate(net.layers):
        found[index, 0] = layer.kernel
        if isinstance(layer, Lstm):
            found[index, 1] = layer.recurrent
            if layer.projection is not None:
                found[index, 2] = layer.projection
    return found


def check_stage(phase: DecodedPhase, layer: Lstm | Dense) -> None:
    """Check bias, peepholes and ReLU of a phase with a stage, and that a phase without a stage has none of them."""
    record = phase.record
    assert record["relu"] == (isinstance(layer, Dense) and layer.relu)
    assert record["peephole"] == (record["lstm"] and isinstance(layer, Lstm) and layer.peepholes is not None)
    if not record["lstm"]:
        assert not phase.peepholes
    elif isinstance(layer, Lstm):
        wanted = np.zeros((3, layer.units), dtype=np.int64) if layer.peepholes is None else layer.peepholes
        np.testing.assert_array_equal(np.transpose(phase.peepholes), wanted)
    if record["part"] == 2:
        assert record["dense"]
        assert not any(phase.bias)
    else:
        assert phase.bias == (layer.bias.tolist() if record["lstm"] or record["dense"] else [])


def check_threshold(phase: DecodedPhase, layer: Lstm | Dense) -> None:
    """Check the thresholds of a delta layer at its two matrices; they are zero if a matrix has none."""
    part = phase.record["part"]
    delta = isinstance(layer, Lstm) and layer.is_delta and part < 2
    assert phase.record.get("delta", 0) == delta
    if isinstance(layer, Lstm) and delta:
        assert phase.record["threshold"] == ((layer.delta_input, layer.delta_state)[part] or 0)


@pytest.mark.parametrize("name", [*SPECS, *SKIP_SPECS])
def test_second_decoder_gives_the_network_back(name: str) -> None:
    spec, design = roomy(name)

    @settings(max_examples=12)
    @given(
        seed=st.integers(0, 2**32 - 1),
        pattern=st.sampled_from([*PATTERNS, "none"]),
        density=st.sampled_from([0.02, 0.1, 0.5]),
        storage=st.sampled_from(["auto", "full"]),
    )
    def check(seed: int, pattern: str, density: float, storage: Storage) -> None:
        net = network(np.random.default_rng(seed), widened(spec, pattern=pattern, density=density))
        image = decode(encode(net, design, storage if design.full_phases else "auto"), facts(design))
        wanted = matrices(net)
        assert {(phase.record["layer"], phase.record["part"]) for phase in image.phases} == set(wanted)
        assert len(image.phases) == len(wanted)
        stages = [phase.record["layer"] for phase in image.phases if phase.record["lstm"] or phase.record["dense"]]
        projections = [layer for layer, part in wanted if part == 2]
        assert sorted(stages) == sorted([*range(len(net.layers)), *projections])
        for phase in image.phases:
            layer, part = phase.record["layer"], phase.record["part"]
            matrix = wanted[layer, part]
            np.testing.assert_array_equal(phase.matrix, matrix.levels)
            np.testing.assert_array_equal(np.transpose(phase.scales), matrix.scale)
            if matrix.codebook is not None:
                assert image.codebooks[phase.record["codebook"]] == matrix.codebook.tolist()
            check_stage(phase, net.layers[layer])
            check_threshold(phase, net.layers[layer])
        np.testing.assert_array_equal(np.transpose(image.table), net.table)
        assert (image.header["inputs"], image.header["outputs"]) == (net.inputs, net.outputs)
        assert image.header["flags"] & 1 == net.every_step
        lines = [(a.slope, a.offset) for each in net.layers if isinstance(each, Lstm) for a in (each.gate, each.cell)]
        for line, (slope, offset) in zip(("gate_line", "cell_line"), lines, strict=False):
            assert (image.header[line] & 0xFFFF, image.header[line] >> 16) == (slope, offset)

    check()


@pytest.mark.parametrize("at", [0, 40, 70, 400, -2])
def test_second_decoder_refuses_damage(at: int) -> None:
    spec, design = roomy("keras-lstm")
    data = bytearray(encode(network(np.random.default_rng(0), spec), design))
    data[at] ^= 1
    with pytest.raises(ValueError, match=r"wrong checksum|not an image"):
        decode(bytes(data), facts(design))
