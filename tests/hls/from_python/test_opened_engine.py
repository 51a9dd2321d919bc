# SPDX-License-Identifier: Apache-2.0
"""An opened design gives what the plugin gives, and a session gives what whole sequences give, bit for bit."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl

import ese4ml
from ese_host.bundle import INTERFACE, Folder, manifest
from ese_host.device.emulated import Faults
from ese_host.errors import DeviceError, FormatError, MismatchError, UnsupportedError
from ese_host.protocol import DmaBit
from ese_host.runtime import Accelerator, Engine
from ese_host.runtime.engine import engine as engine_module
from support.keras_models.plugin_models import (
    as_list,
    chain,
    classifier,
    convert,
    dense,
    fill,
    functional,
    lstm,
    recurrent,
)

pytestmark = pytest.mark.filterwarnings("ignore::ese_hls.warnings.ConversionWarning")
MEAN, DEVIATION = np.linspace(-1, 1, 7), np.linspace(0.5, 2, 7)


def several() -> Any:
    """Two inputs and a dict of outputs, one of them a regression."""
    a, b = keras.Input((None, 3), name="a"), keras.Input((3,), name="b")
    last = kl.Add(name="add")([kl.LSTM(3, name="lstm")(a), b])
    out = {"k": kl.Dense(2, activation="softmax", name="kind")(last), "more": [kl.Dense(1, name="size")(last)]}
    return fill(keras.Model({"one": a, "two": b}, out), density=1)


STREAMED: dict[str, Any] = {
    "classifier": classifier,
    "every step": lambda: chain(lstm(return_sequences=True), dense(), kl.Softmax(name="s"), shape=(None, 7)),
    "two layers": lambda: chain(lstm(9, return_sequences=True), recurrent("second", 5), dense(), shape=(9, 7)),
    "host before and behind": lambda: chain(
        kl.LayerNormalization(name="norm"), lstm(return_sequences=True), kl.LeakyReLU(name="leaky"), source=None
    ),
    "last step by the host": lambda: functional(
        lambda x: kl.Concatenate(name="both")([recurrent("lstm", 6, return_sequences=True)(x)[:, -1], x[:, -1]])
    ),
    "dense": lambda: chain(dense(), shape=(7,)),
    "float": lambda: chain(
        kl.LSTM(5, name="lstm"), kl.Dense(1, activation="sigmoid", name="d"), source=None, density=1
    ),
    "numbers": lambda: fill(
        keras.Sequential([keras.Input((None,), name="n"), kl.Embedding(11, 4, name="e"), kl.LSTM(5, name="lstm")]), 1
    ),
}


def built(model: Any, out: Path, **options: Any) -> tuple[Any, Path]:
    graph = convert(model, out / "prj", **options)
    graph.build(emulated=True, design=out / "design")
    graph.compile()
    return graph, out / "design"


def leaves(nested: Any) -> list[Any]:
    return keras.tree.flatten(nested)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A converted classifier, and its design folder with scaling and names of classes."""
    import hls4ml

    out = tmp_path_factory.mktemp("small")
    config = hls4ml.utils.config_from_keras_model(classifier(), granularity="name", backend="ESE")
    graph = hls4ml.converters.convert_from_keras_model(
        classifier(), backend="ESE", output_dir=str(out / "prj"), hls_config=config, classes=list("abcde"),
        scaling=(MEAN, DEVIATION),
    )  # fmt: skip
    graph.build(emulated=True, design=out / "design")
    graph.compile()
    return graph, out / "design"


def recorded(samples: int = 9, seed: int = 1) -> Any:
    return np.random.default_rng(seed).normal(size=(samples, 6, 7)) * 2


def as_input(x: Any) -> Any:
    return ((x - MEAN) / DEVIATION).astype(np.float32)


def test_recorded_values_are_scaled_and_classes_have_names(small: tuple[Any, Path]) -> None:
    graph, folder = small
    x = recorded()
    expected = graph.predict(as_input(x))
    with ese4ml.open(folder) as engine:
        assert engine.classes == tuple("abcde") and engine.folder.path == folder
        np.testing.assert_array_equal(engine.predict(x), expected)
        np.testing.assert_array_equal(engine.predict(as_input(x), scaled=True), expected)
        np.testing.assert_array_equal(asyncio.run(engine.predict_async(x)), expected)
        assert engine.classify(x) == ["abcde"[number] for number in expected.argmax(axis=1)]
        assert engine.classify(x[:0]) == [] and engine.predict(x[:0]).shape == (0, 5)
        with pytest.raises(FormatError, match=r"^there is no output 'none'; the model has softmax: name one of them$"):
            engine.classify(x, output="none")


def test_samples_run_some_at_a_time(small: tuple[Any, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    graph, folder = small
    x = recorded(21)
    monkeypatch.setattr(engine_module, "AT_ONCE", 400)
    with ese4ml.open(folder) as engine:
        before = engine.accelerator.packets
        np.testing.assert_array_equal(engine.predict(x), graph.predict(as_input(x)))
        assert engine.accelerator.packets - before > 3


def test_inputs_and_outputs_as_the_model_nests_them(tmp_path: Path) -> None:
    graph, folder = built(several(), tmp_path)
    rng = np.random.default_rng(2)
    given = {"one": rng.normal(size=(5, 4, 3)), "two": rng.normal(size=(5, 3))}
    expected = graph.predict(given)
    with ese4ml.open(Folder.open(folder)) as engine:
        for x in (given, list(given.values()), {"a": given["one"], "b": given["two"]}):
            found = engine.predict(x)
            assert list(found) == ["k", "more"] and isinstance(found["more"], list)
            for one, other in zip(leaves(found), leaves(expected), strict=True):
                np.testing.assert_array_equal(one, other)
        assert engine.classify(given) == expected["k"].argmax(axis=1).tolist()
        with pytest.raises(UnsupportedError, match=r"^output 'size' is a single value that is no sigmoid, which tells"):
            engine.classify(given, output="size")
        with pytest.raises(UnsupportedError, match=r"^the model has the inputs a, b; a session feeds a single input: "):
            engine.session()


def test_a_folder_without_interface_has_the_shapes_of_its_program(small: tuple[Any, Path], tmp_path: Path) -> None:
    graph, folder = small
    older = tmp_path / "older"
    shutil.copytree(folder, older)
    (older / INTERFACE).unlink()
    described = Folder.open(older).manifest
    files = {name: sha for name, sha in described.files.items() if name != INTERFACE}
    manifest.write(older, replace(described, files=files))
    x = as_input(recorded())
    with ese4ml.open(older) as engine:
        np.testing.assert_array_equal(engine.predict(x), graph.predict(x))
        assert engine.classes is None
        assert engine.classify(x) == graph.predict(x).argmax(axis=1).tolist()
    (older / INTERFACE).write_bytes((folder / INTERFACE).read_bytes().replace(b"softmax", b"another"))
    manifest.write(older, described)
    with pytest.raises(MismatchError, match=r"interface\.json: SHA-256 is "):
        ese4ml.open(older)


@pytest.mark.parametrize("mode", ["stream", "skip"])
@pytest.mark.parametrize("name", STREAMED)
def test_frames_of_a_session_are_those_of_whole_sequences(name: str, mode: str, tmp_path: Path) -> None:
    model = STREAMED[name]()
    settings = {"lstm": {"DeltaInput": 0.1, "DeltaState": 0.05}} if mode == "skip" and name == "two layers" else None
    graph, folder = built(model, tmp_path, Mode=mode, layers=settings)
    rng, steps = np.random.default_rng(3), 6
    single, numbers = len(model.input_shape) == 2, name == "numbers"
    width = 1 if numbers else model.input_shape[-1]
    x = rng.integers(0, 11, (2, steps, 1)) if numbers else rng.normal(size=(2, steps, width))
    fixed = None if single or numbers else model.input_shape[1]
    with ese4ml.open(folder) as engine, engine.session() as live:
        for sequence in x:
            live.reset()
            one = np.array([live.step(frame) for frame in sequence])
            live.reset()
            parts = np.concatenate([live.feed(sequence[:1]), live.feed(sequence[1:1]), live.feed(sequence[1:])])
            live.reset()
            np.testing.assert_array_equal(live.feed(sequence), one)
            np.testing.assert_array_equal(parts, one)
            live.reset()
            awaited = asyncio.run(awaiting(live, sequence))
            np.testing.assert_array_equal(awaited, one)
            if numbers:
                expected = engine.predict(sequence[:, 0][None])[0]
                np.testing.assert_array_equal(one[-1], expected)
            elif single:
                np.testing.assert_array_equal(one, engine.predict(sequence))
            elif len(model.output_shape) == 3 and fixed in (None, steps):
                np.testing.assert_array_equal(one, engine.predict(sequence[None])[0])
            elif fixed in (None, steps):
                np.testing.assert_array_equal(one[-1], engine.predict(sequence[None])[0])
            live.reset()
            if fixed is not None and not numbers:  # any number of steps: what the model's own would give is the last
                longer = rng.normal(size=(fixed, width))
                expected = graph.predict(longer[None])[0]
                found = live.feed(longer)
                np.testing.assert_array_equal(found if expected.ndim == 2 else found[-1], expected)


async def awaiting(live: Any, frames: Any) -> Any:
    return np.array([await live.step_async(frame) for frame in frames])


def test_frames_of_recorded_values(small: tuple[Any, Path]) -> None:
    graph, folder = small
    x = recorded(1)[0]
    expected = graph.predict(as_input(x)[None])[0]
    with ese4ml.open(folder) as engine, engine.session() as live:
        assert live.width == 7
        np.testing.assert_array_equal(live.feed(x)[-1], expected)
        live.reset()
        np.testing.assert_array_equal(live.feed(as_input(x), scaled=True)[-1], expected)
        live.reset()
        run = live.run(x)
        assert run.classes().tolist()[-1] == expected.argmax()


def test_a_frame_of_another_shape_leaves_the_state_as_it_is(small: tuple[Any, Path]) -> None:
    x = recorded(1)[0]
    with ese4ml.open(small[1]) as engine, engine.session() as live:
        expected = live.feed(x)[-1]
        live.reset()
        live.feed(x[:5])
        for wrong, message in (
            (x[:1], r"^the frame has shape \(1, 7\); the model takes \(7,\)$"),
            (["a"] * 7, r"^the frame holds values of type <U1"),
            (np.full(7, np.inf), r"^input 'x' is inf at \(0, 0\); only finite numbers are taken"),
        ):
            with pytest.raises(FormatError, match=message):
                live.step(wrong)
        with pytest.raises(FormatError, match=r"^frames have shape \(7,\); the model takes \(frames, 7\): give one "):
            live.feed(x[5])
        np.testing.assert_array_equal(live.step(x[5]), expected)


def test_any_other_use_of_the_engine_loses_the_state(small: tuple[Any, Path]) -> None:
    x = recorded(1)[0]
    lost = r"^the session has lost its state, because the engine was used for something else: call reset\(\), and feed "
    with ese4ml.open(small[1]) as engine:
        live, other = engine.session(), engine.session()
        expected = live.feed(x)
        for use in (lambda: engine.predict(x[None]), lambda: other.step(x[0]), engine.accelerator.configure):
            live.reset()
            other.reset()
            live.step(x[0])
            use()
            for _ in range(2):
                with pytest.raises(MismatchError, match=lost):
                    live.step(x[1])
            live.reset()
            np.testing.assert_array_equal(live.feed(x), expected)
        live.close()
        live.close()
        with pytest.raises(DeviceError, match=r"^the session is closed; begin another one with the engine's session"):
            live.step(x[0])
    with pytest.raises(DeviceError, match=r"^the accelerator is closed; open the folder again$"):
        other.step(x[0])


def test_tasks_that_take_turns_lose_the_state(small: tuple[Any, Path]) -> None:
    x = recorded(1)[0]
    with ese4ml.open(small[1]) as engine:
        live, other = engine.session(), engine.session()

        async def both() -> Any:
            await live.step_async(x[0])
            return await asyncio.gather(other.step_async(x[0]), live.step_async(x[1]), return_exceptions=True)

        _, found = asyncio.run(both())
        assert isinstance(found, MismatchError)


def test_a_frame_that_fails_loses_the_state_and_says_how_to_go_on(small: tuple[Any, Path]) -> None:
    x, faults = recorded(1)[0], Faults()
    with Engine(Accelerator(small[1], driver="adapter", faults=faults)) as engine, engine.session() as live:
        expected = live.feed(x)
        live.reset()
        live.feed(x[:2])
        faults.receive_errors = DmaBit.SLAVE
        with pytest.raises(
            DeviceError, match=r"; the session has lost its state: call reset\(\), and feed the sequence"
        ):
            live.step(x[2])
        with pytest.raises(MismatchError, match=r"^the session has lost its state, because a frame failed: call reset"):
            live.step(x[2])
        live.reset()
        np.testing.assert_array_equal(live.feed(x), expected)


REFUSED: dict[str, tuple[Any, str]] = {
    "both directions": (
        lambda: chain(kl.Bidirectional(kl.LSTM(4), name="both"), source=None, density=1),
        r"^step Chain '[^']+' runs backwards, from the last frame to the first, which a session cannot do: run whole ",
    ),
    "two chains": (
        lambda: chain(lstm(6, return_sequences=True), kl.LeakyReLU(name="leaky"), recurrent("second", 5)),
        r"^the model has several chains, Chain '[^']+' and Chain '[^']+'; loading the image of one clears the state ",
    ),
    "pooled": (
        lambda: chain(lstm(6, return_sequences=True), kl.GlobalMaxPooling1D(name="pool")),
        r"^step Pool 'pool' reads several frames at once, which a session cannot do",
    ),
    "masked": (
        lambda: chain(kl.Masking(name="mask"), lstm(6), source=None),
        r"^step Mask '[^']*' leaves frames out, so that not every frame has an output",
    ),
    "flattened": (
        lambda: chain(kl.Flatten(name="flat"), dense()),
        r"^step Reshape 'flat' makes other frames of all frames together",
    ),
    "repeated": (
        lambda: chain(lstm(6), kl.RepeatVector(3, name="again")),
        r"^step Repeat 'again' makes a sequence of one frame",
    ),
    "turned": (
        lambda: functional(lambda x: keras.ops.flip(recurrent("lstm", 6, return_sequences=True)(x), axis=1)),
        r"^step \w+ '[^']+' (reverses the frames|moves elements between frames)",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_needs_more_than_a_frame_is_refused_by_name(name: str, tmp_path: Path) -> None:
    make, message = REFUSED[name]
    _, folder = built(make(), tmp_path)
    with ese4ml.open(folder) as engine:
        with pytest.raises(UnsupportedError, match=message):
            engine.session()
        x = np.random.default_rng(4).normal(size=(2, 6, 7))
        assert len(as_list(engine.predict(x))[0]) == 2
