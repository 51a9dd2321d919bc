# SPDX-License-Identifier: Apache-2.0
"""The tutorials: notebooks from a Keras model to answers of the engine, run cell by cell without Jupyter."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from support.notebooks import execute

pytestmark = pytest.mark.filterwarnings("ignore:No devices found")


@pytest.mark.slow
def test_a_stranger_s_model_runs_and_is_exact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names = asyncio.run(execute("your-own-model"))
    assert names["report"]["bit_exact"] and names["report"]["accuracy"]["engine"] > 0.9
    assert "balance over 8 PEs: 100.0%" in capsys.readouterr().out


@pytest.mark.slow
def test_a_float_lstm_is_estimated_built_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names = asyncio.run(execute("float-lstm-on-a-board"))
    assert names["report"]["bit_exact"] and names["report"]["accuracy"]["engine"] > 0.9
    printed = capsys.readouterr().out
    assert printed.count("fits: True") == 2 and "speaker 1" in printed


def test_a_session_gives_what_predict_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert asyncio.run(execute("streaming"))["whole"].shape == (64, 3)


def test_a_board_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    asyncio.run(execute("choose-a-board"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ese4ml.CompressionWarning")
def test_a_mask_family_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert asyncio.run(execute("write-a-mask-family"))["report"]["bit_exact"]
