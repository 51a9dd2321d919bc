# SPDX-License-Identifier: Apache-2.0
"""`ese4ml live --microphone`, with a stand-in below sounddevice that plays a recording."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from click.testing import CliRunner

import ese4ml
from ese_host.cli.main import main
from ese_models.data.speech.features import Features, log_mel, with_differences

WAVE = (2000 * np.random.default_rng(4).standard_normal(3200)).astype(np.int16)
pytestmark = pytest.mark.filterwarnings("ignore:No devices found", "ignore::ese_hls.warnings.ConversionWarning")


class Stream:
    """Plays `WAVE` to the callback when it is opened; then somebody presses Ctrl-C, or nothing comes any more."""

    silent = False

    def __init__(self, *, blocksize: int, callback: Any, **options: Any) -> None:
        assert options == {"samplerate": 16000, "channels": 1, "dtype": "int16"}
        self._blocks, self._callback = np.split(WAVE[:, None], range(blocksize, len(WAVE), blocksize)), callback

    def __enter__(self) -> None:
        for block in self._blocks:
            self._callback(block, len(block), None, None)

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def design(tmp_path: Path) -> Any:
    keras.utils.set_random_seed(0)
    layers = [keras.layers.LSTM(4, return_sequences=True), keras.layers.Dense(2, activation="softmax")]
    model = keras.Sequential([keras.Input((None, 153)), *layers])
    frames = with_differences(log_mel(WAVE, Features()), Features().reach)
    return ese4ml.build(model, tmp_path / "ears", calibration=frames[None], classes=["yes", "no"]), frames


def test_what_it_hears_is_what_predict_gives(design: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, frames = design
    module = ModuleType("sounddevice")
    module.__dict__.update(InputStream=Stream, PortAudioError=RuntimeError)
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    monkeypatch.setattr("ese_host.cli.floats.microphone.SECONDS", 0.2)
    result = CliRunner().invoke(main, ["live", str(folder.path), "--microphone"])
    assert result.stderr == "error: the microphone gave nothing for 0.2 s; check that it is on\n"
    assert result.exit_code == 3
    with ese4ml.open(folder) as engine:
        expected = engine.predict(frames[None])[0][: len(frames) - 4]
    found = [line.split() for line in result.stdout.splitlines()]
    assert [name for name, _ in found] == [["yes", "no"][number] for number in expected.argmax(axis=1)]
    # the features of blocks may differ from those of the whole in float32's last bits, and so a code in its last
    np.testing.assert_allclose([float(value) for _, value in found], expected.max(axis=1), atol=2e-3)


def test_what_is_missing_is_said(design: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    result = CliRunner().invoke(main, ["live", str(design[0].path), "--microphone"])
    assert result.exit_code == 2 and "pip install sounddevice" in result.stderr
    monkeypatch.setitem(sys.modules, "sounddevice", SimpleNamespace())
    from ese_host.cli.floats.microphone import microphone_frames
    from ese_host.errors import MismatchError

    with pytest.raises(MismatchError, match=r"^the design takes frames of 12 numbers; a microphone gives frames of 15"):
        next(microphone_frames(12))
