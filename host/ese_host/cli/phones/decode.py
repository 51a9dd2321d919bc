# SPDX-License-Identifier: Apache-2.0
"""The command `ese4ml decode`: one utterance as phones over time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ese_host.cli.device_options import on_an_engine, opening
from ese_host.cli.options import AS_JSON, FOLDER
from ese_host.cli.output import say
from ese_host.cli.verbosity import note
from ese_host.errors import FormatError


@click.command()
@click.argument("folder", type=FOLDER)
@click.option(
    "--utterance",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Number of the utterance in the test set, counted from 0.",
)
@click.option(
    "--out",
    type=FOLDER,
    default=Path("build/decode"),
    show_default=True,
    help="Folder that the picture (.svg), the text (.txt) and the values (.json) are written to.",
)
@on_an_engine
@AS_JSON
def decode(folder: Path, utterance: int, out: Path, as_json: bool, **options: Any) -> None:
    """Run one utterance of the test set of the design in FOLDER, and show its phones over time beside the labels.

    The design must have a decoder (docs/design-folder.md). Phones are found by it (Viterbi), and for comparison
    greedily: the likeliest phone of each frame.
    """
    import numpy as np

    from ese_host.bundle import DECODER, TESTSET, read_decoder, testset
    from ese_host.decoding import NO_LABEL, Transcript, frame_phones, picture
    from ese_host.files import write_together
    from ese_host.runtime import open as open_engine
    from ese_host.runtime import run_program

    with open_engine(folder, **opening(**options)) as engine:
        accelerator = engine.accelerator
        decoder = read_decoder(accelerator.folder, accelerator.program)
        if decoder is None:
            raise FormatError(
                f"{folder}: has no {DECODER}; `ese4ml train` and `compress` fit one for a task with a label for each "
                "frame, with --data if --decode is given: emit and build the design of such a model"
            )
        tests = testset.read(accelerator.folder.file(TESTSET), accelerator.program)
        if utterance >= len(tests.steps):
            raise FormatError(
                f"utterance is {utterance}; the test set has {len(tests.steps)}, counted from 0: choose one of these"
            )
        found = frame_phones(decoder, run_program(accelerator, *tests.part(utterance, utterance + 1)).run)
        names = engine.interface.outputs[0].classes
    steps = found["viterbi"].shape[1]
    lanes = {way: row[0, decoder.delay :] for way, row in found.items()}
    labels = tests.outputs[0].frame_labels
    if labels is not None and (labels[utterance, :steps] != NO_LABEL).any():
        row = np.where(found["viterbi"][0] == -1, NO_LABEL, labels[utterance, :steps])
        lanes = {"labels": row[decoder.delay :], **lanes}
    transcript = Transcript(utterance, names or [str(number) for number in range(decoder.phones)], lanes)
    design = accelerator.folder.path.resolve().name
    values, text = {"design": design, **transcript.to_json()}, transcript.to_text()
    shown = picture.svg(transcript, f"{design}, utterance {utterance}: phones over frames")
    contents = {"svg": shown, "txt": text, "json": json.dumps(values, indent=1) + "\n"}
    paths = {out / f"utterance-{utterance}.{suffix}": content for suffix, content in contents.items()}
    out.mkdir(parents=True, exist_ok=True)
    write_together({path: _writer(content) for path, content in paths.items()})
    say(json.dumps(values) if as_json else text.rstrip("\n"))
    if not as_json:
        note("written: " + ", ".join(map(str, paths)))


def _writer(content: str) -> Any:
    """A function that writes a text to a path."""
    return lambda path: path.write_text(content, encoding="utf-8")
