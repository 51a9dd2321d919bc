# SPDX-License-Identifier: Apache-2.0
"""Programs on the compiled engine: every tensor of every chain equals the golden model's, also after errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ese_host.check.compare import Comparison, compare_program, scaled
from ese_host.device.emulated.faults import Faults, PacketFault
from ese_host.errors import DeviceError, EseError, MismatchError
from ese_host.files.words import Words
from ese_host.ir import golden
from ese_host.ir.program import run
from ese_host.protocol.packets import load_packet
from ese_host.runtime.accelerator import Accelerator
from ese_host.runtime.pace import BASE_SECONDS, step_cycles
from ese_host.runtime.pool import EnginePool
from ese_host.runtime.runner import run_program
from support.designs import roomy
from support.networks import network
from support.program_folder import program_folder
from support.programs import bidirectional, program_inputs, single

CHAINS = ["one_forward", "one_backward", "two_forward", "two_backward", "classes"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return program_folder(tmp_path_factory.mktemp("program") / "bidirectional", bidirectional(np.random.default_rng(1)))


def samples(engine: Accelerator, count: int = 7) -> tuple[dict[str, Any], Any]:
    return program_inputs(np.random.default_rng(2), engine.program, count, 9)


def check(engine: Accelerator, trace: bool = False, loads: int | None = None) -> None:
    codes, steps = samples(engine)
    found, expected = run_program(engine, codes, steps, trace=trace), run(engine.program, codes, steps)
    for name, value in expected.tensors.items():
        np.testing.assert_array_equal(found.run.tensors[name].codes, value.codes, err_msg=name)
    comparison = Comparison()
    compare_program(comparison, found, {part.chain: part.shape for part in engine.parts})
    assert comparison.values and not comparison.mismatches, comparison.first
    assert list(found.chains) == CHAINS and found.cycles == sum(r.cycles for r in found.chains.values()) > 0
    assert loads is None or found.loads == loads
    assert found.seconds == found.engine_seconds + found.load_seconds + found.glue_seconds and found.glue_seconds > 0
    np.testing.assert_allclose(found.run.values("classes").sum(axis=2), 1)
    np.testing.assert_array_equal(found.run.classes(), expected.classes())


@pytest.mark.parametrize("driver", ["adapter", "auto"])
def test_a_program_runs_like_the_golden_model(folder: Path, driver: Any) -> None:
    with Accelerator(folder, driver=driver) as engine:
        check(engine, loads=4)
        check(engine, trace=True, loads=5)
        assert engine.select("one_forward") and not engine.select("one_forward")
        with pytest.raises(MismatchError, match=r"has no chain 'three'; there are \['one_forward', .*\]: choose one$"):
            engine.select("three")


@pytest.fixture(scope="module", params=["zero-skipping-lstm", "fc-shallow", "delta-google"])
def skipping(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec, design = roomy(request.param)
    program = single(network(np.random.default_rng(3), spec))
    return program_folder(tmp_path_factory.mktemp("skip") / request.param, program, design=design)


def test_an_engine_in_skip_mode_takes_no_longer_than_its_pace(skipping: Path) -> None:
    """The bound of cycles holds where nothing can be skipped: inputs that are never zero and always change."""
    with Accelerator(skipping, driver="adapter") as engine:
        source = engine.network.source
        for shape in ((300, 1), (1, 300)):
            codes = np.full((*shape, engine.network.inputs), source.high, np.int64)
            codes[:, ::2] = source.low if source.signed else 1
            for trace in (False, True):
                result = engine.run(codes, trace=trace)
                assert result.cycles <= (shape[0] * shape[1] + shape[0]) * step_cycles(engine.image)


def test_an_engine_takes_no_longer_than_its_pace(folder: Path) -> None:
    """The bound of cycles holds for each chain; many short sequences and a long one end without a timeout."""
    with Accelerator(folder, driver="adapter") as engine:
        for part in engine.parts:
            engine.select(part.chain)
            for shape in ((3000, 1), (1, 3000)):
                for trace in (False, True):
                    result = engine.run(np.zeros((*shape, part.network.inputs), np.int64), trace=trace)
                    assert result.cycles <= (shape[0] * shape[1] + shape[0]) * step_cycles(part.image)
                    assert result.seconds < engine._pace.seconds(0, 3001) - BASE_SECONDS


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bidirectional", "delta-stacked", "fc"])
def test_a_million_sequences_and_the_longest_one_run_by_default(tmp_path: Path, name: str) -> None:
    """In stream mode and in skip mode, whose engines need the more cycles the less is zero."""
    if name == "bidirectional":
        made = program_folder(tmp_path / name, bidirectional(np.random.default_rng(1)))
    else:
        spec, design = roomy(name)
        made = program_folder(tmp_path / name, single(network(np.random.default_rng(3), spec)), design=design)
    for count, steps in ((10**6, 1), (1, 65535), (11100, 29)):
        want = None
        for driver in ("adapter", "auto"):
            with Accelerator(made, driver=driver) as engine:
                low, high, inputs = engine.network.source.low, engine.network.source.high, engine.network.inputs
                codes = np.random.default_rng(0).integers(low, high + 1, (count, steps, inputs))
                want = want or golden.run(engine.network, codes[-20:])
                found = engine.run(codes)
                assert found.cycles <= (count * steps + count) * step_cycles(engine.image)
            exact = scaled(want.outputs, want.frac, found.frac, "outputs")
            np.testing.assert_array_equal(found.outputs[-20:], exact)


def test_several_engines_share_a_program(folder: Path) -> None:
    pytest.importorskip("pynq")
    from ese_host.device.emulated.pynq_device import EmulatedDevice

    devices = [EmulatedDevice("pynq-z2", tag=f"test program {number}") for number in range(2)]
    engines = [Accelerator(folder, device=device) for device in devices]
    codes, steps = samples(engines[0])
    with EnginePool(engines) as both:
        found = both.run_program(codes, steps, trace=True)
    expected = run(engines[0].program, codes, steps)
    for name, value in expected.tensors.items():
        np.testing.assert_array_equal(found.run.tensors[name].codes, value.codes, err_msg=name)
    assert found.loads == 8 and found.cycles == sum(result.cycles for result in found.chains.values())


def other_image(engine: Accelerator, chain: str) -> PacketFault:
    """A fault that replaces a packet by a LOAD of a chain's image, as another user of the device might send it."""
    image = next(part.image for part in engine.parts if part.chain == chain)
    return PacketFault(packet=lambda _words: load_packet(image.words))


def test_an_image_switched_in_flight_is_found(folder: Path) -> None:
    """An image of another chain that arrives instead of a LOAD or a RUN is refused; the next call is correct again."""
    faults = Faults()
    with Accelerator(folder, driver="adapter", faults=faults, timeout=2.0) as engine:
        codes, steps = samples(engine)
        for before, chain in ((1, "two_forward"), (2, "one_forward"), (2, "classes"), (0, "one_backward")):
            check(engine)
            engine.select("one_forward")
            faults.packets = [None] * before + [other_image(engine, chain)]
            with pytest.raises(
                EseError, match=r"names image 0x[0-9a-f]{8}; 0x[0-9a-f]{8} was loaded|answer is to LOAD"
            ):
                run_program(engine, codes, steps)
            assert not faults.packets
            check(engine)


def test_a_run_that_names_another_image_is_refused(folder: Path) -> None:
    faults = Faults()

    def wrong_id(words: Words) -> Words:
        words[2] ^= 1
        return words

    with Accelerator(folder, driver="adapter", faults=faults) as engine:
        codes, steps = samples(engine)
        faults.packets = [None, None, PacketFault(packet=wrong_id)]
        with pytest.raises(
            MismatchError, match=r"RUN answered with error 7 \(WRONG_IMAGE\): another image is loaded than"
        ):
            run_program(engine, codes, steps)
        check(engine)


def test_the_device_fails_between_two_chains(folder: Path) -> None:
    faults = Faults()
    with Accelerator(folder, driver="adapter", faults=faults, timeout=1.0) as engine:
        codes, steps = samples(engine)
        faults.packets = [None, None, None, PacketFault(hang=60)]
        with pytest.raises(DeviceError, match="the answer did not end within"):
            run_program(engine, codes, steps)
        check(engine)
