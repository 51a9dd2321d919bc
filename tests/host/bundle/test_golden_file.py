# SPDX-License-Identifier: Apache-2.0
"""golden.npz: networks and programs are read back as written; damaged files are refused with the name of the fault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ese_host.bundle import golden_file
from ese_host.errors import EseError, FormatError, UnsupportedError
from ese_host.ir.network import Network
from ese_host.ir.program import Chain, Output, Port, Program, run
from support.networks import Spec, network
from support.programs import SOURCE, bidirectional, program_inputs, random_program

SHARED = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(st.integers(0, 2**32 - 1))
@SHARED
def test_programs_are_read_back_as_written(tmp_path: Path, seed: int) -> None:
    program = random_program(np.random.default_rng(seed))
    path = tmp_path / "golden.npz"
    path.write_bytes(golden_file.dump(program))
    again = golden_file.load(path)
    assert golden_file.dump(again) == path.read_bytes()
    codes, steps = program_inputs(np.random.default_rng(1), program, 3)
    expected = run(program, codes, steps).tensors
    for name, value in run(again, codes, steps).tensors.items():
        assert value.tensor == expected[name].tensor
        np.testing.assert_array_equal(value.codes, expected[name].codes)


def test_the_program_of_one_chain_is_written_as_its_network(tmp_path: Path) -> None:
    net = network(np.random.default_rng(0), Spec())
    net = Network(net.layers, net.source, "softmax")
    path = tmp_path / "golden.npz"
    path.write_bytes(golden_file.dump(Program.of(net)))
    assert path.read_bytes() == golden_file.dump(net)
    assert golden_file.load(path).outputs[0].head == "softmax"
    assert golden_file.dump(golden_file.load_network(path)) == path.read_bytes()
    named = Program((Port("x", 5, SOURCE),), (Chain("c", net, "x", "y"),), (Output("y", "y"),))
    assert named.lone is None
    path.write_bytes(golden_file.dump(named))
    with pytest.raises(
        UnsupportedError, match=r"golden\.npz: holds a program; one network is expected here: `ese4ml check`"
    ):
        golden_file.load_network(path)


VALUES: tuple[Any, ...] = (
    None, True, -1, 1 << 40, -(1 << 70), 0.5, "", "x", "Chain", "Program", [], {}, [[]], {"array": "x"}, {"class": "x"},
)  # fmt: skip


def damaged(tree: Any, rng: np.random.Generator) -> None:
    """Replace or remove one value anywhere in the tree."""
    node = tree
    while True:
        keys = sorted(node) if isinstance(node, dict) else range(len(node))
        key = list(keys)[rng.integers(len(keys))]
        if not isinstance(node[key], (dict, list)) or not node[key] or rng.random() < 0.2:
            break
        node = node[key]
    if rng.random() < 0.2:
        del node[key]
    else:
        node[key] = VALUES[rng.integers(len(VALUES))]


def test_damaged_programs_are_refused_or_run(tmp_path: Path) -> None:
    program = bidirectional(np.random.default_rng(0), inputs=2, units=2)
    path = tmp_path / "golden.npz"
    path.write_bytes(golden_file.dump(program))
    with np.load(path) as whole:
        arrays = dict(whole)
    tree, accepted = json.loads(str(arrays["json"])), 0
    codes, steps = program_inputs(np.random.default_rng(1), program, 2)
    for seed in range(250):
        rng = np.random.default_rng(seed)
        copy = json.loads(json.dumps(tree))
        damaged(copy, rng)
        if rng.random() < 0.3:
            damaged(copy, rng)
        np.savez(path, **{**arrays, "json": np.array(json.dumps(copy))})
        try:
            run(golden_file.load(path), codes, steps)
            accepted += 1
        except EseError as error:
            assert str(error)
    assert 0 < accepted < 125


def test_a_step_of_an_earlier_release_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "golden.npz"
    path.write_bytes(golden_file.dump(bidirectional(np.random.default_rng(0), inputs=2, units=2)))
    with np.load(path) as whole:
        arrays = dict(whole)
    tree = json.loads(str(arrays["json"]))
    tree["steps"][-1] = {
        "class": "Ternary", "source": "two", "target": "logits", "threshold": 1, "threshold_frac": 2, "frac": 0,
    }  # fmt: skip
    np.savez(path, **{**arrays, "json": np.array(json.dumps(tree))})
    with pytest.raises(FormatError, match=r"steps\[\d+\].class is 'Ternary'; expected 'Chain', .*: build "):
        golden_file.load(path)


def test_a_short_file_makes_no_huge_model(tmp_path: Path) -> None:
    """A text of many layers is not parsed, and an array stands for one place only."""
    path = tmp_path / "golden.npz"
    np.savez_compressed(path, json=np.array(json.dumps({"layers": [{}] * 1_100_000})))
    with pytest.raises(FormatError, match=r"golden\.npz: larger than 4194304 bytes; build the design again"):
        golden_file.load(path)
    path.write_bytes(golden_file.dump(network(np.random.default_rng(0), Spec())))
    with np.load(path) as whole:
        arrays = dict(whole)
    tree = json.loads(str(arrays["json"]))
    tree["layers"].append(tree["layers"][0])
    np.savez(path, **{**arrays, "json": np.array(json.dumps(tree))})
    with pytest.raises(FormatError, match="expected an int64 array of this file"):
        golden_file.load(path)


@pytest.mark.parametrize(
    "text",
    [
        np.array(["{}"]),
        np.array(3),
        np.array(b"{}"),
        np.array("\ud800"),
        *(np.frombuffer(b"\xff\x7f\xff\x7f", order).reshape(()) for order in ("<U1", ">U1")),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, text: Any) -> None:
    path = tmp_path / "golden.npz"
    np.savez(path, json=text)
    with pytest.raises(FormatError, match=r"golden\.npz"):
        golden_file.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"class": "Port"}, r"golden\.npz: class is 'Port'; expected 'Network' or 'Program': build the design again$"),
        ({"class": "dict"}, r"golden\.npz: class is 'dict'; expected 'Network' or 'Program': build the design again$"),
        ({"steps": 3}, r"golden\.npz: steps is 3; expected a list: build the design again$"),
        ({"inputs": []}, r"^the program has 0 inputs and 1 outputs; at least one of each is needed"),
        (
            {"outputs": [{"class": "Output", "head": "exp", "name": "o", "tensor": "x"}]},
            r"golden\.npz: outputs\[0\]\.head is 'exp'; expected 'none', 'softmax', 'sigmoid' or 'tanh': build",
        ),
        (
            {"outputs": [{"class": "Output", "head": "none", "name": "o", "tensor": 3}]},
            r"golden\.npz: outputs\[0\]\.tensor is 3; expected text: build the design again$",
        ),
    ],
)
def test_what_is_no_program_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "golden.npz"
    path.write_bytes(golden_file.dump(bidirectional(np.random.default_rng(0), inputs=2, units=2)))
    with np.load(path) as whole:
        arrays = dict(whole)
    arrays["json"] = np.array(json.dumps({**json.loads(str(arrays["json"])), **change}))
    np.savez(path, **arrays)
    with pytest.raises(FormatError, match=message):
        golden_file.load(path)
