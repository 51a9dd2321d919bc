# SPDX-License-Identifier: Apache-2.0
"""Builds the design of a network of the study, runs test utterances on it, and compares every value.

The design is built as a user builds it: from the model's file, with decoder and test set beside it.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from functools import lru_cache
from pathlib import Path

import click
import numpy as np
from tqdm import tqdm

import ese4ml
from benchmarks.cached_results import CachedResults
from benchmarks.ese.cases import CLOCKED, KEPT, UTTERANCES, WORK, EseRun
from benchmarks.study.store import Record
from ese_hls.backend import build
from ese_hls.build import pack_folder
from ese_host.boards import board_names, load_board
from ese_host.bundle import TESTSET, Folder, TestSet, read_decoder, testset
from ese_host.check.compare import Comparison, compare_program
from ese_host.decoding import PhoneScores
from ese_host.errors import MismatchError
from ese_host.estimate.cycles import Engine
from ese_host.runtime import Accelerator, run_program
from ese_models.data import LOADERS, Dataset, Split
from ese_models.records.provenance import decoder_path, sequences, testset_path

BOARD, CELLS_PER_CYCLE = "pynq-z2", 1
"""One cell in a clock takes the fewest memories, and hardly any clocks more than two."""


@lru_cache(maxsize=1)
def data() -> Dataset:
    """The data set, which is read once."""
    return LOADERS["festvox-ru"]()


def first_of_test(count: int) -> Split:
    """The first utterances of the test split, padded to the longest of them."""
    split = data().test.taken(slice(0, count))
    longest = int(split.lengths.max())
    return Split(split.inputs[:, :longest], split.lengths, split.labels[:, :longest], split.padded)


def built(run: EseRun, load: Record) -> Folder:
    """The design folder of a run, built anew.

    Args:
        run: the run.
        load: the load of the study's record, which says what the masks were made for.
    """
    kept, model = KEPT.model_path(run.cell), WORK / f"{run.name}.keras"
    WORK.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(kept, model)
    shutil.copyfile(decoder_path(kept), decoder_path(model))
    with testset_path(model).open("wb") as file:
        np.savez_compressed(file, **sequences(first_of_test(UTTERANCES[run.engine])))
    return build(
        model,
        WORK / run.name,
        board=BOARD,
        flow=run.engine,
        pes=load["pes"],
        gap_bits=load["gap_bits"],
        cells_per_cycle=CELLS_PER_CYCLE,
        classes=list(data().classes),
    )


def complete(run: EseRun, record: CachedResults) -> bool:
    """Run the utterances of a run that the record lacks, and keep each one's figures as soon as they are there.

    Args:
        run: the run.
        record: the record; results of other sources than the present ones are replaced.

    Returns:
        Whether anything was lacking.

    Raises:
        ClickException: if a value differs from the golden model's.
    """
    sources = run.sources()
    result = record.results[run.name] if record.current(run.name, sources) else {"utterances": []}
    done = result["utterances"]
    if len(done) == UTTERANCES[run.engine]:
        return False
    folder = built(run, KEPT.read(run.cell)["load"])
    result |= {
        "date": time.strftime("%Y-%m-%d"),
        "image_bytes": _image_bytes(folder),
        "estimate": ese4ml.estimate(folder, engine=run.engine),
        "boards": _boards(folder, run.engine),
    }
    with ese4ml.open(folder) as engine:
        accelerator = engine.accelerator
        tests = testset.read(accelerator.folder.file(TESTSET), accelerator.program)
        for number in tqdm(range(len(done), len(tests.steps)), desc=run.name, unit="utterance"):
            done.append(_utterance(accelerator, tests, number))
            record.put(run.name, sources, result)
    return True


def _utterance(accelerator: Accelerator, tests: TestSet, number: int) -> Record:
    """Run one utterance, compare outputs, h and c of every step as `check` does, and decode it.

    The first `CLOCKED` utterances are run without trace too, for the clocks that they take.

    Args:
        accelerator: the accelerator of the design.
        tests: its test set.
        number: number of the utterance.

    Raises:
        ClickException: if a value differs from the golden model's.
    """
    decoder, labels = read_decoder(accelerator.folder, accelerator.program), tests.outputs[0].frame_labels
    if decoder is None or labels is None:
        raise MismatchError(f"{accelerator.folder.path} has no decoder, or no labels of frames; remove it")
    scores, comparison = PhoneScores(decoder, labels[number : number + 1]), Comparison()
    shapes = {part.chain: part.shape for part in accelerator.parts}
    part = tests.part(number, number + 1)
    result = run_program(accelerator, *part, trace=True)
    compare_program(comparison, result, shapes, number)
    scores.add(result.run)
    clocks = {}
    if number < CLOCKED:
        untraced = run_program(accelerator, *part)
        compare_program(comparison, untraced, shapes, number)
        clocks = {"clocks": untraced.cycles}
    if comparison.mismatches:
        raise click.ClickException(f"{comparison.mismatches:,} values differ from golden, first {comparison.first}")
    errors = {way: counts[0] for way, counts in scores.errors.items()}
    steps = int(tests.steps[number])
    return {"steps": steps, "values": comparison.values, "phones": scores.phones[0], "errors": errors, **clocks}


def _image_bytes(folder: Folder) -> dict[str, int]:
    """Bytes of the design's image as the engine holds it ("plain"), and Huffman-coded ("stored")."""
    with tempfile.TemporaryDirectory(prefix="ese4ml-packed-") as name:
        return pack_folder(folder.path, Path(name) / "packed")


def _boards(folder: Folder, engine: Engine) -> dict[str, Record]:
    """Of each board the resources that the design lacks at the board's clock, and the latency of a step, modelled."""
    rows = {}
    for name in board_names():
        found = ese4ml.estimate(folder, board=name, engine=engine, clock_mhz=load_board(name).clock_mhz)
        rows[name] = {key: found[key] for key in ("fits", "over", "clock_mhz", "latency_us", "luts_upper")}
    return rows
