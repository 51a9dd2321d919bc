# SPDX-License-Identifier: Apache-2.0
"""The README's own examples, run as they stand: a stranger's model by Python and by command, hls4ml, a stream."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt

from ese4ml import load_model, open, sparsity
from ese_host.bundle import Folder
from ese_host.cli.main import main
from ese_models.training import own_model

README = Path(__file__).parents[2] / "README.md"
RNG = np.random.default_rng(5)
X, Y = RNG.normal(size=(40, 7, 6)).astype(np.float32), RNG.integers(0, 3, 40)

pytestmark = pytest.mark.filterwarnings("ignore:No devices found", "ignore::ese_hls.warnings.ConversionWarning")


def blocks(section: str) -> list[tuple[str, str]]:
    """Language and text of the code blocks below a heading of the README."""
    tokens = MarkdownIt("commonmark").parse(README.read_text(encoding="utf-8").split(f"## {section}\n")[1])
    found = []
    for token in tokens:
        if token.type == "heading_open":
            break
        if token.type == "fence":
            found.append((token.info, token.content))
    return found


def lines(text: str) -> int:
    return sum(bool(line.strip()) for line in text.splitlines())


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A folder with a plain Keras LSTM and data for it, in which compression takes few steps; gives the model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(own_model, "STEPS", (12, 12))
    np.savez("mine.npz", x=X, y=Y, x_test=X[:9], y_test=Y[:9])
    layers = [keras.layers.LSTM(8, name="lstm"), keras.layers.Dense(3, activation="softmax", name="out")]
    model = keras.Sequential([keras.Input((7, 6)), *layers])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.save("model.keras")
    return model


def run_python(text: str, **names: Any) -> dict[str, Any]:
    exec(compile(text, str(README), "exec"), names)  # noqa: S102 - the README's own examples
    return names


def test_a_stranger_s_model_by_python_and_then_as_a_stream(stranger: Any) -> None:
    (_, mine), _, _ = blocks("Your own model")
    assert lines(mine) <= 12
    found = run_python(mine)
    assert sparsity(found["sparse"]).pes == found["design"].manifest.design.pes == 8
    stream = blocks("On a board")[1][1]
    assert lines(stream) <= 8
    names = run_python(stream, frames=X[0], print=lambda _: None)
    with open("bitstreams/mine") as engine:
        assert (engine.predict(X[:1])[0] == engine.predict(X[:1])[0]).all()
        with engine.session() as live:
            assert (np.array([live.step(frame) for frame in X[0]])[-1] == engine.predict(X[:1])[0]).all()
    assert names["live"] is not None


def test_a_stranger_s_model_by_command(stranger: Any) -> None:
    _, (_, commands), _ = blocks("Your own model")
    assert lines(commands) <= 5
    for line in commands.splitlines():
        result = CliRunner().invoke(main, line.removeprefix("ese4ml ").split())
        assert result.exit_code == 0, (line, result.output)
    assert "bit-exact" in result.output
    assert Folder.open(Path("bitstreams/mine")).manifest.design.weights == "ternary"
    assert sparsity(load_model("sparse.keras")).density == pytest.approx(0.1, abs=0.02)


def test_hls4ml_in_three_lines_and_a_check(stranger: Any) -> None:
    _, _, (_, example) = blocks("Your own model")
    assert lines(example) == 4
    import hls4ml

    import ese4ml

    run_python(example, hls4ml=hls4ml, ese4ml=ese4ml, model=stranger, x=X, y=Y)
    assert ese4ml.check("prj/design")["bit_exact"]
