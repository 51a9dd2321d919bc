# SPDX-License-Identifier: Apache-2.0
"""The decoder against all paths of tiny models, and against a second formulation that adds up whole phones."""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ese_host.decoding import Decoder, collapsed
from ese_host.errors import FormatError

Path = tuple[int, tuple[int, ...], tuple[int, ...]]
"""Score of a path, phone of each frame, and for each frame but the first whether it did not just stay."""


def all_paths(decoder: Decoder, frames: Any) -> Iterator[Path]:
    """Every path that ends in a last state."""
    least = min(decoder.minimum, len(frames))
    begun: list[tuple[int, tuple[int, ...], tuple[int, ...], int]] = [
        (decoder.start[phone] + int(frames[0, phone]), (phone,), (), 1) for phone in range(decoder.phones)
    ]
    while begun:
        score, phones, moves, age = begun.pop()
        if len(phones) == len(frames):
            if age == least:
                yield score, phones, moves
            continue
        last, row = phones[-1], frames[len(phones)]
        if age < least:
            begun.append((score + int(row[last]), (*phones, last), (*moves, 1), age + 1))
            continue
        begun.append((score + decoder.stay[last] + int(row[last]), (*phones, last), (*moves, 0), age))
        begun += [
            (score + decoder.change[last][phone] + int(row[phone]), (*phones, phone), (*moves, 1), 1)
            for phone in range(decoder.phones)
        ]


def best_by_trying_all(decoder: Decoder, frames: Any) -> list[int]:
    """The best path of all, by the rule for equal scores that `viterbi` tells."""

    def rank(path: Path) -> tuple[int, tuple[tuple[int, int], ...]]:
        score, phones, moves = path
        return -score, tuple(zip((0, *moves[::-1]), phones[::-1], strict=True))

    return list(min(all_paths(decoder, frames), key=rank)[1])


def best_by_phones(decoder: Decoder, frames: Any) -> list[int]:
    """The best path, built of whole phones: of all ends, phones, begins and phones before."""
    steps, phones, least = len(frames), decoder.phones, min(decoder.minimum, len(frames))
    sums = np.concatenate([np.zeros((1, phones), np.int64), np.cumsum(frames, axis=0)])
    best: dict[tuple[int, int], tuple[int, list[int]]] = {}
    for end in range(least, steps + 1):
        for phone in range(phones):
            choices: list[tuple[int, int, int]] = []
            for begin in range(end - least + 1):
                inside = int(sums[end, phone] - sums[begin, phone]) + (end - begin - least) * decoder.stay[phone]
                if not begin:
                    choices.append((inside + decoder.start[phone], begin, -1))
                for before in range(phones if begin >= least else 0):
                    choices.append((best[begin, before][0] + decoder.change[before][phone] + inside, begin, before))
            # rather stay, so begin early; then come from the phone of the lowest number
            score, begin, before = max(choices, key=lambda item: (item[0], -item[1], -item[2]))
            head = best[begin, before][1] if begin else []
            best[end, phone] = score, [*head, *[phone] * (end - begin)]
    return max((best[steps, phone] for phone in range(phones)), key=lambda item: item[0])[1]


@st.composite
def models(draw: st.DrawFn, phones: int, least: int, steps: int) -> tuple[Decoder, Any]:
    """A random decoder, and outputs for it; few values, so that equal scores are frequent."""
    count = draw(st.integers(1, phones))
    values = st.integers(-draw(st.sampled_from([1, 3, 50])), 0)
    scores = st.lists(values, min_size=count, max_size=count)
    decoder = Decoder(
        multiplier=draw(st.integers(1, 3)),
        minimum=draw(st.integers(1, least)),
        delay=draw(st.integers(0, 2)),
        prior=draw(scores),
        start=draw(scores),
        stay=draw(scores),
        change=draw(st.lists(scores, min_size=count, max_size=count)),
        chosen={},
    )
    frames = draw(st.integers(1, steps)) + decoder.delay
    rows = draw(st.lists(scores, min_size=frames, max_size=frames))
    return decoder, np.array(rows, np.float64).reshape(1, frames, count) / 2


def decoded(decoder: Decoder, outputs: Any) -> list[int]:
    found = decoder.decode(outputs, np.array([outputs.shape[1]]))[0]
    assert (found[: decoder.delay] == -1).all()
    return [int(phone) for phone in found[decoder.delay :]]


@given(models(phones=2, least=3, steps=5))
def test_the_path_is_the_best_of_all(drawn: tuple[Decoder, Any]) -> None:
    decoder, outputs = drawn
    frames = decoder.frame_scores(outputs[0, decoder.delay :])
    assert decoded(decoder, outputs) == best_by_trying_all(decoder, frames)


@given(models(phones=4, least=4, steps=14))
def test_a_second_formulation_finds_the_same_path(drawn: tuple[Decoder, Any]) -> None:
    decoder, outputs = drawn
    frames = decoder.frame_scores(outputs[0, decoder.delay :])
    assert decoded(decoder, outputs) == best_by_phones(decoder, frames)


def random_decoder(phones: int, minimum: int = 3, delay: int = 5) -> Decoder:
    rng = np.random.default_rng(phones)
    start, stay = (-rng.integers(0, 1 << 14, (2, phones))).tolist()
    change = (-rng.integers(0, 1 << 15, (phones, phones))).tolist()
    return Decoder(2400, minimum, delay, [0] * phones, start, stay, change, {})


def test_sequences_of_all_lengths_are_decoded_together_as_alone() -> None:
    decoder = random_decoder(5)
    outputs = np.random.default_rng(1).normal(0, 3, (40, 30, 5))
    lengths = np.arange(40) % 30 + 1
    together = decoder.decode(outputs, lengths)
    for row, length in enumerate(lengths):
        alone = decoder.decode(outputs[row : row + 1, :length], lengths[row : row + 1])[0]
        assert together[row, :length].tolist() == alone.tolist() and (together[row, length:] == -1).all()
        edges = [0, *(np.flatnonzero(np.diff(alone[5:])) + 1), length - 5]
        assert length < 8 or (np.diff(edges) >= 3).all()


def test_a_number_that_all_phones_share_changes_nothing() -> None:
    """Outputs before softmax and logarithms of probabilities differ by such a number."""
    decoder = random_decoder(6)
    outputs = np.random.default_rng(2).integers(-800, 800, (3, 60, 6)) / 64
    shared = np.random.default_rng(3).integers(-800, 800, (3, 60, 1)) / 64 * 64
    lengths = np.array([60, 33, 8])
    assert (decoder.decode(outputs, lengths) == decoder.decode(outputs + shared, lengths)).all()


def test_a_thousand_frames_take_far_less_than_a_second() -> None:
    decoder = random_decoder(51)
    outputs = np.random.default_rng(4).normal(0, 3, (1, 1005, 51))
    decoder.decode(outputs[:, :20], np.array([20]))
    begin = time.process_time()
    path = decoder.decode(outputs, np.array([1005]))[0]
    assert time.process_time() - begin < 0.5 and len(collapsed(path[5:])) > 50


def test_outputs_that_do_not_fit_are_refused() -> None:
    decoder = random_decoder(3)
    with pytest.raises(FormatError, match=r"^outputs have 4 classes; the decoder has 3 phones: train the model again"):
        decoder.decode(np.zeros((1, 9, 4)), np.array([9]))
    for value in (np.nan, np.inf, 1e300):
        with pytest.raises(FormatError, match=r"^outputs hold NaN or values too large to decode"):
            decoder.decode(np.full((1, 9, 3), value), np.array([9]))
    with pytest.raises(FormatError, match=r"^outputs have shape \(9, 3\); expected \(sequences, steps, 3\)$"):
        decoder.decode(np.zeros((9, 3)), np.array([9]))
