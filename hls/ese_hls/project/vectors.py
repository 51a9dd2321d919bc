# SPDX-License-Identifier: Apache-2.0
"""Test vectors of an emitted project: packets for the engine, and the answers of the golden model to them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ese_host.errors import FormatError, MissingError
from ese_host.image import sum_frac
from ese_host.ir import Codes, Dense, Lstm, Network, golden
from ese_host.protocol import Operation, Words, packets

INPUT, EXPECTED = "input.txt", "expected.txt"
"""Files of the packets and of the answers."""
SHORT = ("short_input.txt", "short_expected.txt")
"""The same for a short test, which a simulator of RTL ends in reasonable time: the first network, one sequence."""
SEED = 2017
SEQUENCES, STEPS = 4, 6
SHORT_STEPS = 2
UNKNOWN_WORDS = (-3, -2, -1)
"""Indices of the words of an answer that are not compared, because the golden model does not know them: two count
cycles, and the last is the CRC of all words before it."""


def example_codes(network: Network) -> Codes:
    """(sequences, steps, inputs) reproducible random codes over the whole input range, including both of its ends."""
    rng = np.random.default_rng(SEED)
    low, high = network.source.low, network.source.high
    codes = rng.integers(low, high, size=(SEQUENCES, STEPS, network.inputs), endpoint=True)
    codes[0, 0], codes[0, 1] = low, high
    return codes.astype(np.int64)


def vectors(network: Network, image: Words, codes: Codes | None = None) -> tuple[list[Words], list[Words]]:
    """The packets LOAD and RUN of a network, and their answers by the golden model.

    Args:
        network: the network.
        image: all words of its image.
        codes: (sequences, steps, inputs) input codes; None for `example_codes`.

    Returns:
        The two packets, and the two answers; the words of the answers that the golden model does not know are zero.
    """
    codes = example_codes(network) if codes is None else codes
    image_id = int(image[-1])
    sent = [packets.load_packet(image), packets.run_packet(image_id, codes, network.source)]
    result = golden.run(network, codes)
    body = _body(network, result.outputs, result.frac)
    answers = [
        _trailer(Operation.LOAD, image_id, 0, 0),
        np.concatenate([body, _trailer(Operation.RUN, image_id, len(codes), codes.shape[0] * codes.shape[1])]),
    ]
    return sent, answers


def _body(network: Network, outputs: Codes, frac: int) -> Words:
    """The words in which an answer holds (sequences, frames, outputs) codes with `frac` fractional bits.

    docs/reference/packets.md describes their format.
    """
    last = network.layers[-1]
    frames = outputs.reshape(-1, network.outputs)
    if last.output is None and not (isinstance(last, Lstm) and last.projection is not None):
        exact = np.left_shift(frames, sum_frac(last) - frac) if isinstance(last, Dense) else frames
        return np.ascontiguousarray(exact, dtype="<i8").reshape(-1).view("<u4").astype(np.uint32)
    halves = np.zeros((len(frames), frames.shape[1] + frames.shape[1] % 2), dtype="<u2")
    halves[:, : frames.shape[1]] = frames & 0xFFFF
    return halves.reshape(-1).view("<u4").astype(np.uint32)


def _trailer(operation: Operation, image_id: int, sequences: int, steps: int) -> Words:
    known = [packets.TRAILER_MAGIC, operation, 0, image_id, sequences, steps]
    return np.array(known + [0] * len(UNKNOWN_WORDS), dtype=np.uint32)


def write(folder: Path, networks: Sequence[Network], images: Sequence[Words]) -> None:
    """Write the files of packets and answers into a new folder, the networks one after the other.

    Args:
        folder: the folder, which must not exist.
        networks: the networks.
        images: the words of the image of each network.
    """
    folder.mkdir()
    pairs = [vectors(network, image) for network, image in zip(networks, images, strict=True)]
    short = vectors(networks[0], images[0], example_codes(networks[0])[:1, :SHORT_STEPS])
    for which, (name, short_name) in enumerate(zip((INPUT, EXPECTED), SHORT, strict=True)):
        write_packets(folder / name, [words for pair in pairs for words in pair[which]])
        write_packets(folder / short_name, short[which])


def write_packets(file: Path, items: Sequence[Words]) -> None:
    """Write packets as text: for each packet a line with its number of words, then one hexadecimal word per line."""
    lines = [line for words in items for line in (str(len(words)), *(f"{word:08x}" for word in words))]
    file.write_text("\n".join(lines) + "\n", encoding="ascii")


def read(file: Path) -> list[Words]:
    """Read the packets of a file that `write_packets` wrote.

    Raises:
        MissingError: if the file cannot be read.
        FormatError: if it is not a list of packets.
    """
    try:
        lines = iter(file.read_text(encoding="ascii").split())
        return [np.array([int(next(lines), 16) for _ in range(int(count))], dtype=np.uint32) for count in lines]
    except OSError as error:
        raise MissingError(f"{file}: {error.strerror}; a project holds it: run `ese4ml emit` first") from error
    except (ValueError, RuntimeError) as error:
        raise FormatError(f"{file}: not a list of packets; emit the project again") from error
