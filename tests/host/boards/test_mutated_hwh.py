# SPDX-License-Identifier: Apache-2.0
"""Mutated .hwh files: each runs exactly, or is refused with an error that names the file."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_design import DRIVERS, codes, expected, small_design, write_manifest

from ese_host.boards import hwh
from ese_host.bundle import manifest
from ese_host.errors import EseError, FormatError, MismatchError
from ese_host.runtime.accelerator import Accelerator

NAME = manifest.HWH


def flipped(text: str, rng: random.Random) -> bytes:
    data = bytearray(text.encode())
    for _ in range(rng.randint(1, 3)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def without_attribute(text: str, rng: random.Random) -> bytes:
    found = rng.choice(list(re.finditer(r' [A-Z_]+="[^"]*"', text)))
    return (text[: found.start()] + text[found.end() :]).encode()


def twice(text: str, rng: random.Random) -> bytes:
    found = rng.choice(list(re.finditer(r"<(MODULE|REGISTER|FIELD) .*?</\1>|<[A-Z]+ [^<>]*/>", text, re.DOTALL)))
    return (text[: found.end()] + found[0] + text[found.end() :]).encode()


def without_element(text: str, rng: random.Random) -> bytes:
    found = rng.choice(list(re.finditer(r"<(MODULE|PORTS|REGISTER) .*?</\1>|<[A-Z]+ [^<>]*/>", text, re.DOTALL)))
    return (text[: found.start()] + text[found.end() :]).encode()


def other_value(text: str, rng: random.Random) -> bytes:
    found = rng.choice(list(re.finditer(r'="([^"]*)"', text)))
    value = rng.choice(["", "text", "-1", "1e9", "0xZZ", "99999999999999999999", "0", "NaN"])
    return (text[: found.start(1)] + value + text[found.end(1) :]).encode()


MUTATIONS = (flipped, without_attribute, twice, without_element, other_value)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("mutate", MUTATIONS)
def test_mutated_files_run_exactly_or_are_refused(
    folder: Path, driver: Any, mutate: Callable[[str, random.Random], bytes]
) -> None:
    text, inputs = (folder / NAME).read_text(encoding="utf-8"), codes(2, 3)
    exact = 0
    for seed in range(50):
        (folder / NAME).write_bytes(mutate(text, random.Random(seed)))  # noqa: S311
        write_manifest(folder)
        try:
            with Accelerator(folder, driver=driver) as accelerator:
                result = accelerator.run(inputs)
        except EseError as error:
            assert NAME in str(error), (seed, error)
            continue
        assert np.array_equal(result.outputs, expected(inputs, result.frac)), seed
        exact += 1
    assert exact < 50


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<EDKSYSTEM", '<!DOCTYPE a [<!ENTITY b "c">]><EDKSYSTEM', "has a document type; a .hwh has none"),
        ("</EDKSYSTEM>", "", r"is no XML \(no element found"),
        ("</EDKSYSTEM>", "<A>" * 40 + "</A>" * 40 + "</EDKSYSTEM>", "nested more than 32 deep"),
        ("</EDKSYSTEM>", "<A/>" * 100_001 + "</EDKSYSTEM>", "has more than 100000 elements"),
        (' INSTANCE="axi_dma_0" IPTYPE', " IPTYPE", r"a MODULE has .* and lacks \['INSTANCE'\]"),
        (' INSTANCE="ese_0" IPTYPE', ' INSTANCE="axi_dma_0" IPTYPE', "has the cell 'axi_dma_0' twice"),
        ('DIVISOR0" VALUE="5"', 'DIVISOR0" VALUE="five"', "DIVISOR0 is 'five'; a number is expected"),
        ('BASEVALUE="0x40400000"', 'BASEVALUE="some"', "BASEVALUE of the MEMRANGE axi_dma_0 is 'some'"),
    ],
)
def test_what_pynq_reads_is_checked(old: str, new: str, message: str) -> None:
    text = hwh.render("pynq-z2", small_design())
    hwh.check(text, "pynq-z2", small_design())
    assert old in text
    with pytest.raises(FormatError, match=f"x: .*{message}"):
        hwh.check(text.replace(old, new), "pynq-z2", small_design(), "x")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('BASEVALUE="0x43C00000"', 'BASEVALUE="0x43D00000"', "expected the address range .*0x43C00000"),
        ('FULLNAME="/ese_0"', 'FULLNAME="/ese_1"', "the cell ese_0 is /ese_1 of core"),
        ("axi_dma:7.1", "axi_dma:8.0", "the DMA is .*axi_dma:8.0"),
    ],
)
def test_another_block_design_is_refused(old: str, new: str, message: str) -> None:
    text = hwh.render("pynq-z2", small_design())
    assert old in text
    with pytest.raises(MismatchError, match=message):
        hwh.check(text.replace(old, new), "pynq-z2", small_design())
