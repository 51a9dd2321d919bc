# SPDX-License-Identifier: Apache-2.0
"""festvox-ru: features of known tones, labels of frames, chunks and their delay, the cache, fetching."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import wavfile

from ese_host.decoding import collapsed
from ese_host.errors import FormatError, MissingError
from ese_host.files.hashing import digest_of
from ese_models.data import NO_LABEL, cache, festvox_ru
from ese_models.data.lab_format import read_lab
from ese_models.data.speech.features import Features, log_mel, mel_filters, with_differences

RATE = 16000


def tone(hertz: float, seconds: float = 0.5, size: float = 8000) -> npt.NDArray[np.int16]:
    wave = size * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)
    return np.asarray(wave, dtype=np.int16)


@pytest.mark.parametrize("hertz", [200, 440, 1000, 2500, 6000])
def test_a_tone_peaks_in_the_filter_around_it(hertz: float) -> None:
    features = Features()
    values = log_mel(tone(hertz), features)
    assert values.shape == (1 + (8000 - 400) // 160, 51) and values.dtype == np.float32
    filters = mel_filters(features)
    expected = filters[:, round(hertz / RATE * features.points)].argmax()
    assert (np.abs(values[:, :50].argmax(axis=1) - expected) <= 1).all()
    # The mean square of a sine is half the square of its amplitude.
    assert np.allclose(values[:, 50], np.log(8000**2 / 2), atol=0.05)


def test_filters_rise_and_fall_and_meet_in_their_neighbours_middles() -> None:
    filters = mel_filters(Features())
    assert filters.shape == (50, 257) and (filters >= 0).all() and filters.max() <= 1
    inner = slice(filters[0].argmax(), filters[-1].argmax())
    assert np.allclose(filters.sum(axis=0)[inner], 1, atol=1e-5)
    with pytest.raises(FormatError, match=r"^of 200 mel filters, filter 2 passes no frequency; use fewer"):
        mel_filters(Features(filters=200))


@given(st.integers(1, 30), st.floats(-3, 3), st.floats(-5, 5))
def test_differences_of_a_line_are_its_slope_and_zero(frames: int, slope: float, start: float) -> None:
    line = (start + slope * np.arange(frames, dtype=np.float32))[:, None].astype(np.float32)
    values = with_differences(line, 2)
    assert values.shape == (frames, 3) and (values[:, :1] == line).all()
    assert np.allclose(values[2 : frames - 2, 1], slope, atol=1e-4)
    assert np.allclose(values[4 : frames - 4, 2], 0, atol=1e-4)


def test_recordings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(FormatError, match=r"^recording has shape \(399,\); one channel of at least 400 samples"):
        log_mel(np.zeros(399, np.int16), Features())
    with pytest.raises(FormatError, match=r"shape \(800, 2\); one channel"):
        log_mel(np.zeros((800, 2), np.int16), Features())
    assert (log_mel(np.zeros(800, np.int16), Features()) == np.log(np.float32(1e-3))).all()  # silence is finite


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "ru_0001.lab"
    path.write_text(text)
    return path


def test_labels_hold_until_their_end(tmp_path: Path) -> None:
    phones = read_lab(written(tmp_path, "signal x\n#\n0.1 125 pau\n0.25 125 a\n 0.30 125 t\n\n"))
    assert phones.names == ("pau", "a", "t") and phones.ends.tolist() == [0.1, 0.25, 0.3]
    assert phones.at(np.array([0.0, 0.0999, 0.1, 0.2, 0.29, 0.5])) == ["pau", "pau", "a", "a", "t", "t"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.1 125 pau\n", r"^ru_0001\.lab has no line '#' before its phones; is it a \.lab file of Festival\?$"),
        ("#\n", r"^ru_0001\.lab has no phones after '#'$"),
        ("#\n0.1 pau\n", r"^ru_0001\.lab line 2: '0\.1 pau' has 2 words; expected end, colour and phone$"),
        ("#\nx 125 pau\n", r"^ru_0001\.lab line 2: end 'x' is not a number of seconds$"),
        ("#\n0.2 1 a\n0.2 1 t\n", r"^ru_0001\.lab line 3: end 0\.2 does not follow 0\.2; times must rise$"),
        ("#\nnan 1 a\n", r"^ru_0001\.lab line 2: end nan does not follow 0\.0; times must rise$"),
        ("#\ninf 1 a\n", r"^ru_0001\.lab line 2: end inf does not follow 0\.0; times must rise$"),
    ],
)
def test_labels_that_are_none_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read_lab(written(tmp_path, text))


def utterances(
    lengths: Sequence[int], seed: int = 0
) -> tuple[list[npt.NDArray[np.float32]], list[npt.NDArray[np.int64]]]:
    rng = np.random.default_rng(seed)
    labels = [rng.integers(0, 51, -(-count // 7)).repeat(7)[:count] for count in lengths]
    return [rng.normal(2, 3, (count, 6)).astype(np.float32) for count in lengths], labels


def test_every_frame_is_trained_once_and_tested_with_its_delay() -> None:
    lengths = [40, 23, 7, 55, 20, 31, 64, 12, 90, 33, 41]  # one for validation and two for test
    frames, labels = utterances(lengths)
    found = festvox_ru.assembled(frames, labels, chunk=20)
    assert found.remark == "one speaker, Russian, machine-aligned labels" and len(found.classes) == 51
    assert found.mean is not None and found.deviation is not None
    kept = [0, 1, 2, 3, 5, 6, 7, 10]
    assert (found.train.labels != NO_LABEL).sum() == sum(lengths[index] for index in kept)
    seen = np.concatenate([frames[index] for index in kept])
    assert np.allclose(found.mean, seen.mean(axis=0), atol=1e-5) and np.allclose(
        found.deviation, seen.std(axis=0), atol=1e-5
    )
    # A label comes five frames after its frame, whichever chunk holds it.
    pairs = {}
    for values, late in zip(found.train.inputs, found.train.labels, strict=True):
        for place in np.flatnonzero(late != NO_LABEL):
            pairs[values[place - festvox_ru.DELAY].tobytes()] = late[place]
    for index in kept:
        scaled = ((frames[index] - found.mean) / found.deviation).astype(np.float32)
        assert [pairs[row.tobytes()] for row in scaled] == labels[index].tolist()
    assert found.test.inputs.shape == (2, 33 + festvox_ru.DELAY, 6) and found.test.padded == "end"
    assert found.test.labels[1].tolist() == [NO_LABEL] * 5 + labels[9].tolist()
    assert found.validation.inputs.shape == (1, 90 + festvox_ru.DELAY, 6)
    assert found.validation.labels[0].tolist() == [NO_LABEL] * 5 + labels[8].tolist()


def test_the_splits_of_620_utterances_are_disjoint() -> None:
    """Every utterance's number stands in its only feature; every fifth is for test, every tenth among them."""
    frames = [np.full((6, 1), number, np.float32) for number in range(620)]
    found = festvox_ru.assembled(frames, [np.zeros(6, np.int64)] * 620)
    assert found.mean is not None and found.deviation is not None
    numbers = {
        name: np.rint(split.inputs[:, 0, 0] * found.deviation + found.mean).astype(int).tolist()
        for name, split in found.splits.items()
    }
    assert {name: len(part) for name, part in numbers.items()} == {"train": 434, "validation": 62, "test": 124}
    assert sorted(number for part in numbers.values() for number in part) == list(range(620))
    assert numbers["test"] == list(range(4, 620, 5)) and set(range(9, 620, 10)) <= set(numbers["test"])
    assert numbers["validation"] == [i for i in range(620) if (i + 1) % 5][7::8]


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    """Ten recordings of two tones, with labels, in the folders of the package."""
    folder = tmp_path / "msu_ru_nsh_clunits"
    for name in ("wav", "lab"):
        (folder / name).mkdir(parents=True)
    for number in range(10):
        wavfile.write(folder / "wav" / f"ru_{number:04}.wav", RATE, np.concatenate([tone(300), tone(3000)]))
        (folder / "lab" / f"ru_{number:04}.lab").write_text("#\n0.5 125 a\n0.99 125 sch\n")
    return folder


def test_features_are_computed_once_for_their_parameters(tmp_path: Path, voice: Path) -> None:
    found = festvox_ru.load(tmp_path)
    assert found.train.inputs.shape == (7 * 2, 100, 153) and found.test.inputs.shape[2] == 153
    phones = [found.classes[label] for label in collapsed(found.test.labels[0][found.test.labels[0] != NO_LABEL])]
    assert phones == ["a", "sch"] and found.test.lengths.tolist() == [98 + 5] * 2
    low, high = (found.test.inputs[0, frame, :50].argmax() for frame in (20, 80))
    assert low < high
    (tmp_path / "msu_ru_nsh_clunits").rename(tmp_path / "gone")
    again = festvox_ru.load(tmp_path)
    assert (again.test.inputs == found.test.inputs).all() and len(list(tmp_path.glob("features-*.npz"))) == 1
    (tmp_path / "gone").rename(voice)
    assert festvox_ru.load(tmp_path, Features(filters=40)).train.inputs.shape[2] == 123
    assert len(list(tmp_path.glob("features-*.npz"))) == 2


def test_a_recording_or_phone_of_another_kind_is_refused(tmp_path: Path, voice: Path) -> None:
    wavfile.write(voice / "wav" / "ru_0003.wav", 8000, tone(300))
    with pytest.raises(FormatError, match=r"^ru_0003\.wav has 8000 int16 samples per second; expected 16000 int16"):
        festvox_ru.load(tmp_path)
    wavfile.write(voice / "wav" / "ru_0003.wav", RATE, tone(300))
    (voice / "lab" / "ru_0003.lab").write_text("#\n0.5 125 qq\n")
    with pytest.raises(FormatError, match=r"^ru_0003\.lab has phone 'qq'; the phones of festvox-ru are a, aa, "):
        festvox_ru.load(tmp_path)
    assert list(tmp_path.glob("*.npz")) == []


@pytest.mark.parametrize("placed", [False, True])
def test_without_a_network_the_package_to_place_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, placed: bool
) -> None:
    def run(command: list[str], **kwargs: object) -> subprocess.CompletedProcess[str]:
        assert command == ["apt-get", "download", "-q", "festvox-ru=0.5+dfsg-6"]
        return subprocess.CompletedProcess(command, 100, "", "W: old list\nE: Unable to locate package festvox-ru\n")

    monkeypatch.setattr(subprocess, "run", run)
    file = tmp_path / "festvox-ru_0.5+dfsg-6_all.deb"
    if placed:
        file.write_bytes(b"another")
        with pytest.raises(FormatError, match=rf"has SHA-256 .*; expected {festvox_ru.PACKAGE.sha256}: remove it"):
            festvox_ru.load(tmp_path)
        return
    with pytest.raises(MissingError) as caught:
        festvox_ru.load(tmp_path)
    assert str(caught.value) == (
        "festvox-ru=0.5+dfsg-6 could not be downloaded (E: Unable to locate package festvox-ru). Without a network, "
        "get festvox-ru_0.5+dfsg-6_all.deb from Debian's archive (`apt-get download festvox-ru=0.5+dfsg-6`), place it "
        f"at {file} and run this again"
    )
    assert list(tmp_path.iterdir()) == []


def test_without_dpkg_the_folder_to_place_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = cache.Deb("tiny", "1", digest_of(b"deb"))
    (tmp_path / package.filename).write_bytes(b"deb")

    def run(command: list[str], **kwargs: object) -> None:
        raise FileNotFoundError(2, "No such file or directory", command[0])

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(
        MissingError, match=r"^tiny_1_all\.deb could not be unpacked \(.*'dpkg-deb'\): install dpkg, or"
    ) as e:
        cache.unpack(package, "usr/share/tiny", tmp_path)
    assert str(e.value).endswith(f"place its folder usr/share/tiny at {tmp_path / 'tiny'}")
    assert [path.name for path in tmp_path.iterdir()] == [package.filename]


@pytest.mark.network
def test_the_published_set() -> None:
    """In the real package, collapsing the labels of the frames gives the phones of each .lab file."""
    found = festvox_ru.load()
    assert found.train.inputs.shape == (4602, 100, 153) and found.test.inputs.shape == (124, 1747, 153)
    assert len(found.validation.labels) == 62
    assert sum((split.labels != NO_LABEL).sum() for split in found.splits.values()) == 595886
    labs = sorted((cache.cache_folder() / "festvox-ru" / "msu_ru_nsh_clunits" / "lab").iterdir())
    for path, labels in zip(labs[4::5], found.test.labels, strict=True):
        numbers = [festvox_ru.PHONES.index(name) for name in read_lab(path).names]
        assert collapsed(labels[labels != NO_LABEL]) == collapsed(numbers)
    assert json.dumps(sorted(set(found.test.labels.ravel().tolist()) - {NO_LABEL})) == json.dumps(list(range(51)))
