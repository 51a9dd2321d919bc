# SPDX-License-Identifier: Apache-2.0
"""The file decoder.json: read as it was written, and refused by name if a value does not belong in it."""

import json
from pathlib import Path
from typing import Any

import pytest

from ese_host.decoding import Decoder, read, write
from ese_host.errors import FormatError

SOUND: dict[str, Any] = {
    "multiplier": 2458,
    "minimum": 3,
    "delay": 5,
    "prior": [-1, -2],
    "start": [0, -3],
    "stay": [-100, -200],
    "change": [[-16777216, -7], [-8, -16777216]],
    "chosen": {"acoustic": 0.6, "validation_errors": 12},
    "version": 1,
}


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    path, decoder = tmp_path / "decoder.json", Decoder(**SOUND)
    write(path, decoder)
    assert read(path) == decoder and json.loads(path.read_text()) == SOUND
    assert len(path.read_text().splitlines()) == 14


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("version", 2, "decoder: version is 2; 1 to 1 are allowed: train the model again"),
        ("multiplier", 0, "decoder: multiplier is 0; 1 to 1073741824 are allowed"),
        ("multiplier", 0.5, "multiplier is 0.5; expected an integer"),
        ("minimum", 17, "decoder: minimum is 17; 1 to 16 are allowed"),
        ("delay", -1, "decoder: delay is -1; 0 to 1048576 are allowed"),
        ("prior", [], "decoder: number of phones is 0; 1 to 512 are allowed"),
        ("start", [0], "decoder: start has 1 scores; there are 2 phones"),
        ("stay", [0, True], r"stay\[1\] is True; expected an integer"),
        ("change", [[0, 0]], "decoder: change has 1 rows; there are 2 phones"),
        ("change", [[0, 0], [0, 0, 0]], r"decoder: change\[1\] has 3 scores; there are 2 phones"),
        ("change", [[0, 0], [0, 1 << 31]], r"decoder: change\[1\] has a score beyond 1073741824"),
        ("more", 1, r"has fields \['change', 'chosen', 'delay', 'minimum', 'more', "),
    ],
)
def test_other_values_are_refused(tmp_path: Path, field: str, value: Any, message: str) -> None:
    path = tmp_path / "decoder.json"
    path.write_text(json.dumps({**SOUND, field: value}))
    with pytest.raises(FormatError, match=rf"^{path}:? {message}"):
        read(path)
