"""Test vectors of an emitted project: packets in, answers out, the answers from the golden model alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ese_host.errors import FormatError, MissingError
from ese_host.image import SUM_FRAC
from ese_host.ir import Codes, Dense, Network, golden
from ese_host.protocol import Operation, Words, packets

INPUT, EXPECTED = "input.txt", "expected.txt"
SEED = 2017
SEQUENCES, STEPS = 4, 6
CYCLE_WORDS = (-2, -1)
"""Words of an answer that the golden model does not know: the test bench leaves them out of the comparison."""


def example_codes(network: Network) -> Codes:
    """(sequences, steps, inputs) seeded codes over the whole input range, its two ends among them."""
    rng = np.random.default_rng(SEED)
    low, high = network.source.low, network.source.high
    codes = rng.integers(low, high, size=(SEQUENCES, STEPS, network.inputs), endpoint=True)
    codes[0, 0], codes[0, 1] = low, high
    return codes.astype(np.int64)


def vectors(network: Network, image: Words, codes: Codes | None = None) -> tuple[list[Words], list[Words]]:
    """Packets LOAD and RUN of `example_codes` or other codes, and their answers; the answers' cycle words are zero."""
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
    """Output words of (sequences, frames, outputs) codes with `frac` fractional bits (docs/packets.md)."""
    last = network.layers[-1]
    frames = outputs.reshape(-1, network.outputs)
    if last.output is None and (isinstance(last, Dense) or last.projection is None):
        exact = np.left_shift(frames, SUM_FRAC - frac) if isinstance(last, Dense) else frames
        return np.ascontiguousarray(exact, dtype="<i8").reshape(-1).view("<u4").astype(np.uint32)
    halves = np.zeros((len(frames), frames.shape[1] + frames.shape[1] % 2), dtype="<u2")
    halves[:, : frames.shape[1]] = frames & 0xFFFF
    return halves.reshape(-1).view("<u4").astype(np.uint32)


def _trailer(operation: Operation, image_id: int, sequences: int, steps: int) -> Words:
    return np.array([packets.TRAILER_MAGIC, operation, 0, image_id, sequences, steps, 0, 0], dtype=np.uint32)


def write(folder: Path, networks: Sequence[Network], images: Sequence[Words]) -> None:
    """Write both files of a new folder: each network's packets in turn."""
    folder.mkdir()
    pairs = [vectors(network, image) for network, image in zip(networks, images, strict=True)]
    for which, name in enumerate((INPUT, EXPECTED)):
        write_packets(folder / name, [words for pair in pairs for words in pair[which]])


def write_packets(file: Path, items: Sequence[Words]) -> None:
    """For each packet a line with its number of words, then one hexadecimal word a line."""
    lines = [line for words in items for line in (str(len(words)), *(f"{word:08x}" for word in words))]
    file.write_text("\n".join(lines) + "\n", encoding="ascii")


def read(file: Path) -> list[Words]:
    """The packets of such a file.

    Raises:
        MissingError: it is not there. FormatError: it is none.
    """
    try:
        lines = iter(file.read_text(encoding="ascii").split())
        return [np.array([int(next(lines), 16) for _ in range(int(count))], dtype=np.uint32) for count in lines]
    except OSError as error:
        raise MissingError(f"{file}: {error.strerror}; a project holds it: run `ese4ml emit` first") from error
    except (ValueError, RuntimeError) as error:
        raise FormatError(f"{file}: not a list of packets; emit the project again") from error
