# SPDX-License-Identifier: Apache-2.0
"""The command `ese4ml live`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from ese_host.cli.device_options import on_an_engine, opening
from ese_host.cli.options import FOLDER
from ese_host.cli.output import say
from ese_host.errors import FormatError

if TYPE_CHECKING:
    from ese_host.ir.program import ProgramRun
    from ese_host.runtime import Engine

MOST_FRAMES = 4096


@click.command()
@click.argument("folder", type=FOLDER)
@click.option(
    "--frames-per-packet",
    default=1,
    show_default=True,
    type=click.IntRange(1, MOST_FRAMES),
    help="Frames that go to the engine at once. More cost fewer calls; the first of them then waits for the last.",
)
@click.option(
    "--scaled", is_flag=True, help="The frames are the model's inputs already, and not values as they were recorded."
)
@click.option(
    "--microphone",
    is_flag=True,
    help="Take the frames from a microphone, with the speech features of the task festvox-ru; needs the package "
    "sounddevice and the extra train.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each frame.")
@on_an_engine
def live(folder: Path, frames_per_packet: int, scaled: bool, microphone: bool, as_json: bool, **options: Any) -> None:
    """Run frames from standard input on the design in FOLDER, and print a line for each as soon as it is known.

    A line of the input is a frame: its numbers, separated by commas or blanks. The state is kept from frame to frame.
    The line of output is the class of the frame and its value, or the values if the output tells no class; a model that
    only gives an output at the end of a sequence gives that for the frames so far. The input's end ends the command, or
    Ctrl-C for a microphone.
    """
    from ese_host.runtime import open as open_engine

    with open_engine(folder, **opening(**options)) as engine, engine.session() as session:
        first = 1
        for batch in (_heard if microphone else _batches)(session.width, frames_per_packet):
            run = session.run(np.array(batch), scaled=scaled)
            for line in _lines(engine, run, first, as_json):
                say(line)
            first += len(batch)


def _heard(width: int, most: int) -> Iterator[list[Any]]:
    """Frames of a microphone, as many at once as asked for."""
    from ese_host.cli.floats.microphone import microphone_frames

    waiting: list[Any] = []
    for frames in microphone_frames(width):
        waiting.extend(frames)
        while len(waiting) >= most:
            yield waiting[:most]
            waiting = waiting[most:]


def _batches(width: int, most: int) -> Iterator[list[list[float]]]:
    """Frames of standard input, at most so many at once, as soon as their lines have come.

    Raises:
        FormatError: if a line is no frame; the frames before it have been given then.
    """
    from ese_host.cli.floats.samples import frame_of

    waiting: list[list[float]] = []
    for number, line in enumerate(sys.stdin, 1):
        try:
            waiting.append(frame_of(line, width, f"standard input, line {number}"))
        except FormatError:
            if waiting:
                yield waiting
            raise
        if len(waiting) == most:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _lines(engine: Engine, run: ProgramRun, first: int, as_json: bool) -> Iterator[str]:
    """A line for each frame.

    Args:
        engine: the opened design.
        run: the run of the frames.
        first: number of the first frame, from 1.
        as_json: whether a line is a JSON object.
    """
    output, names = run.program.outputs[0], engine.classes
    values = run.values(output.name)[:, 0].astype(np.float32)
    classes = run.classes(output.name) if run.program.has_classes(output) else None
    for place, row in enumerate(values):
        told = None if classes is None else int(classes[place])
        name = told if told is None or names is None else names[told]
        if as_json:
            fields: dict[str, Any] = {"frame": first + place} | ({} if told is None else {"class": name})
            yield json.dumps({**fields, "values": [float(str(value)) for value in row]})
        elif told is None:
            yield " ".join(map(str, row))
        else:
            yield f"{name} {row[told] if len(row) > 1 else row[0]}"
