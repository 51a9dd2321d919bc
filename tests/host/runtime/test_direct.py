# SPDX-License-Identifier: Apache-2.0
"""Programs on a compiled engine without a board give the same results as through `Accelerator`, or are refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_design import codes, image_words, make_twins, small_design, twins

from ese_host.device.emulated.engine import EmulatedEngine
from ese_host.errors import DeviceError, FormatError, MismatchError
from ese_host.files.hashing import Contents
from ese_host.ir.program import run
from ese_host.protocol import TRAILER_WORDS, crc32
from ese_host.runtime.accelerator import Accelerator
from ese_host.runtime.direct import BATCH, DirectEngine
from ese_host.runtime.runner import run_program

IMAGES = [image_words(small_design(), weights) for weights in (0, 1)]


@pytest.fixture
def compiled(library: Path) -> Iterator[EmulatedEngine]:
    with EmulatedEngine(Contents.of(library)) as engine:
        yield engine


def test_direct_and_accelerator_give_the_same(folder: Path, compiled: EmulatedEngine) -> None:
    make_twins(folder)
    inputs, lengths = codes(2 * BATCH + 5, 4), np.arange(2 * BATCH + 5) % 4 + 1
    expected = run(twins(), inputs, lengths)
    direct = DirectEngine(compiled, twins(), IMAGES)
    with Accelerator(folder, driver="adapter") as engine:
        for trace in (False, True):
            by_direct, by_board = (run_program(way, inputs, lengths, trace=trace) for way in (direct, engine))
            for name, value in expected.tensors.items():
                np.testing.assert_array_equal(by_direct.run.tensors[name].codes, value.codes, err_msg=name)
            for chain, result in by_direct.chains.items():
                other = by_board.chains[chain]
                np.testing.assert_array_equal(result.outputs, other.outputs)
                np.testing.assert_array_equal(result.steps, other.steps)
                assert (result.frac, result.cycles) == (other.frac, other.cycles)
                for found, wanted in zip(result.traces, other.traces, strict=True):
                    np.testing.assert_array_equal(found.exact, wanted.exact)
    assert by_direct.loads == 2 and direct.select("one") and not direct.select("one")


def test_bits_that_no_term_has_are_refused_or_left_to_the_comparison(
    compiled: EmulatedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    packet = compiled.packet

    def wrong(words: Any, answer_words: int) -> Any:
        answer = packet(words, answer_words)
        if answer_words > TRAILER_WORDS:
            answer[0] ^= 1
            answer[-1] = crc32(answer[:-1])
        return answer

    inputs = codes(3, 2)
    expected = run(twins(), inputs)
    monkeypatch.setattr(compiled, "packet", wrong)
    with pytest.raises(DeviceError, match=r"^chain 'one': the lowest \d+ bits of the engine's sums are not zero, alth"):
        run_program(DirectEngine(compiled, twins(), IMAGES), inputs, strict=True)
    found = run_program(DirectEngine(compiled, twins(), IMAGES), inputs)
    np.testing.assert_array_equal(found.run.tensors["a"].codes, expected.tensors["a"].codes)
    assert found.chains["one"].outputs[0, 0, 0] & 1


def test_nothing_runs_without_an_image(compiled: EmulatedEngine) -> None:
    direct = DirectEngine(compiled, twins(), IMAGES)
    with pytest.raises(DeviceError, match=r"^the engine holds no image: select a chain first$"):
        direct.run(codes(1, 1))
    direct.select("one")
    with pytest.raises(FormatError, match=r"^inputs have shape \(1, 2, 6\); expected integer codes \(N, T, 5\)"):
        direct.run(np.zeros((1, 2, 6), np.int64))
    assert direct.run(codes(1, 1)).steps.tolist() == [1]


def test_a_refused_image_is_not_taken_for_loaded(compiled: EmulatedEngine) -> None:
    broken = [IMAGES[0][:-1], IMAGES[1]]
    direct = DirectEngine(compiled, twins(), broken)
    direct.select("two")
    for _ in range(2):
        with pytest.raises((DeviceError, FormatError), match="LOAD answered with error"):
            direct.select("one")
    assert direct.select("two")


def test_a_library_of_another_protocol_is_refused(compiled: EmulatedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "register", {0x60: 0}.__getitem__)
    with pytest.raises(MismatchError, match=r"^the compiled engine tells no protocol version, so it is"):
        DirectEngine(compiled, twins(), IMAGES)
