# SPDX-License-Identifier: Apache-2.0
"""The .hwh: pynq's own parsers read from it the names and addresses of `ese_host.boards.processor`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_design import small_design

from ese_host.boards import hwh
from ese_host.boards import processor as blockdesign
from ese_host.boards.board import load_board
from ese_host.errors import UnsupportedError
from ese_host.protocol.registers import REGISTERS


def parsed(board: str, folder: Path) -> Any:
    frontends = pytest.importorskip("pynqmetadata.frontends")
    runtime = pytest.importorskip("pynqmetadata.views.runtime")
    path = folder / "design.hwh"
    path.write_text(hwh.render(board, small_design(clock_mhz=125)), encoding="utf-8")
    return runtime.RuntimeMetadataParser(frontends.Metadata(input=str(path)))


@pytest.mark.parametrize("board", blockdesign.PROCESSORS)
def test_pynq_finds_dma_and_engine(board: str, tmp_path: Path) -> None:
    processor = blockdesign.processor_of(board)
    parser = parsed(board, tmp_path)
    assert parser.family_ps == processor.modtype
    dma, engine = parser.ip_dict[blockdesign.DMA_NAME], parser.ip_dict[blockdesign.ENGINE_NAME]
    assert (dma["type"], dma["phys_addr"], dma["addr_range"]) == (blockdesign.DMA_VLNV, processor.dma_base, 0x10000)
    assert (engine["type"], engine["phys_addr"]) == (blockdesign.ENGINE_VLNV, processor.engine_base)
    assert {name: item["address_offset"] for name, item in engine["registers"].items()} == {
        name: register.offset for name, register in REGISTERS.items()
    }
    width = str(load_board(board).dma_memory_bits)
    expected = {"c_include_sg": "0", "c_sg_length_width": "26", "c_m_axi_mm2s_data_width": width}
    assert {name: dma["parameters"][name] for name in expected} == expected
    assert parser.interrupt_controllers[blockdesign.INTC_NAME]["raw_irq"] == processor.interrupt_number
    assert {name: pin["index"] for name, pin in dma["interrupts"].items()} == {"mm2s_introut": 0, "s2mm_introut": 1}


@pytest.mark.parametrize(("board", "name"), [("pynq-z2", "_HWHZynq"), ("zcu104", "_HWHUltrascale")])
def test_the_older_parser_reads_the_same(board: str, name: str, tmp_path: Path) -> None:
    module = pytest.importorskip("pynq.pl_server.hwh_parser")
    new = parsed(board, tmp_path)
    old = getattr(module, name)(hwh_name=str(tmp_path / "design.hwh"))
    for block in (blockdesign.DMA_NAME, blockdesign.ENGINE_NAME):
        for field in ("phys_addr", "addr_range", "type"):
            assert old.ip_dict[block][field] == new.ip_dict[block][field]
    assert old.clock_dict[0] == {key: new.clock_dict[0][key] for key in old.clock_dict[0]}


def test_divisors_make_the_clock(tmp_path: Path) -> None:
    clock = parsed("pynq-z2", tmp_path).clock_dict[0]
    assert 1000 / (clock["divisor0"] * clock["divisor1"]) == 100


def test_unknown_board() -> None:
    with pytest.raises(UnsupportedError, match="board is 'z9'; known boards: kv260, pynq-z1, pynq-z2"):
        hwh.render("z9", small_design())
