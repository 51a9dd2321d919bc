# SPDX-License-Identifier: Apache-2.0
"""Writes docs/results/study.md and its charts from the results."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.study.cell import StudyCell, with_trunks
from benchmarks.study.grid import Question
from benchmarks.study.store import Record
from benchmarks.study.verdicts import ANSWERS, Answer, lstm_weights
from ese_host.errors import FormatError
from ese_host.files import write_file
from ese_models.records import charts


def write(
    asked: Sequence[Question], found: Mapping[StudyCell, Record], page: Path, figures: Path, notes: Path, command: str
) -> list[Path]:
    """Write the page, its charts, and a JSON file of the results beside the page.

    Args:
        asked: questions of the page.
        found: results of their cells and trunks.
        page: file of the page.
        figures: folder of the charts.
        notes: Markdown file that is appended if it exists: what was tried to meet goals that are missed.
        command: the command that made the results.

    Returns:
        Paths of all files written.
    """
    answers = {question: _answer(question, found) for question in asked}
    drawn = []
    for chart in (chart for answer in answers.values() for chart in answer.charts):
        charts.lines(figures / chart.name, chart.title, chart.labels, chart.axes, chart.series)
        drawn.append(figures / chart.name)
    cells = with_trunks(cell for question in asked for cell in question.cells)
    lines = [*_head(cells, found, command)]
    for question, answer in answers.items():
        lines += _section(question, answer, found, figures, page.parent)
    if notes.is_file():
        lines += ["## Notes", "", notes.read_text(encoding="utf-8").strip(), ""]
    data = page.with_suffix(".json")
    write_file(page, "\n".join(lines))
    write_file(data, (json.dumps([summary(found[cell]) for cell in cells if cell in found], indent=1) + "\n"))
    return [page, data, *drawn]


def summary(record: Record) -> Record:
    """A result without the loads of kernels, and with the trunk's key for its description; the inverse is `listed`."""
    trunk = record["cell"]["trunk"]
    if isinstance(trunk, dict):
        trunk = StudyCell.from_json(trunk).key
    load = {name: value for name, value in record["load"].items() if name != "kernels"}
    if "kernels" in record["load"]:
        load["lstm_weights"] = lstm_weights(record)
    return {**record, "cell": {**record["cell"], "trunk": trunk}, "load": load}


def listed(path: Path, cells: Sequence[StudyCell]) -> dict[StudyCell, Record]:
    """Results of cells in a JSON file that `write` wrote beside a page.

    Raises:
        FormatError: if the file is no such list.
    """
    try:
        records = {record["key"]: record for record in json.loads(path.read_text(encoding="utf-8"))}
    except (ValueError, TypeError, KeyError) as error:
        raise FormatError(
            f"{path} is no list of the study's results ({error!r}); name the file beside a page"
        ) from error
    return {cell: records[cell.key] for cell in cells if cell.key in records}


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Markdown lines of a table."""
    return [f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows)]


def _answer(question: Question, found: Mapping[StudyCell, Record]) -> Answer:
    results = {cell: found[cell] for cell in question.cells if cell in found}
    return ANSWERS[question.number](question.cells, results)


def _head(cells: Sequence[StudyCell], found: Mapping[StudyCell, Record], command: str) -> Iterator[str]:
    records = list(found.values())
    yield "# The study"
    yield ""
    yield f"The cells were trained and measured by `{command}`; this page is written from their results by"
    missing = sum(cell not in found for cell in cells)
    yield f"`ese4ml study report`. {len(found)} cells have a result, {missing} cells have none yet."
    yield ""
    yield "Figures are those of the last epoch's network on the test split, mean ± standard deviation if there are"
    yield "several seeds; no network was picked. Losses are given ± their standard errors. For phone error rates these"
    yield "are errors over the test utterances, each compared with itself; with several seeds the spread over seeds is"
    yield "added, and for accuracies it is all that is known. Of one seed, nothing is told about others. A goal holds"
    yield "(yes), or does not (no), if all of its 95% interval (Student's, in parentheses) lies on one side of its"
    yield "limit, and else is undecided, as is a goal without an interval. Entries and padding are counted on the"
    yield "codes, as the engine stores them."
    yield ""
    if any("splits" not in record for record in records):
        yield "These cells were trained before there was a validation split: on festvox-ru 558 utterances were for"
        yield "training and 62 for test, and recipes were compared on test utterances too. Their counts by utterance"
        yield "are lost: standard errors are those that were computed while they were there, to two digits."
        yield ""
    yield from sorted({f"{record['cell']['task']}: {record['remark']}." for record in records if record["remark"]})
    versions = sorted({f"{name} {version}" for record in records for name, version in record["versions"].items()})
    minutes = sum(record["seconds"]["processor"] for record in records) / 60
    yield f"Versions: {', '.join(versions)}."
    yield f"Processor time of all cells together: {minutes:.0f} minutes."
    yield ""


def _section(
    question: Question, answer: Answer, found: Mapping[StudyCell, Record], figures: Path, folder: Path
) -> Iterator[str]:
    yield f"## {question.number}. {question.title}"
    yield ""
    yield from answer.remarks
    seeds = sorted({cell.seed for cell in question.cells if cell in found})
    yield f"Seeds: {', '.join(map(str, seeds)) or 'none yet'}."
    yield ""
    yield from table(answer.header, answer.rows)
    yield ""
    if answer.goals:
        yield from table(["goal", "found", "holds"], [[goal.text, goal.found, goal.verdict] for goal in answer.goals])
        yield ""
    for chart in answer.charts:
        yield f"![{chart.title}]({os.path.relpath(figures / chart.name, folder)})"
        yield ""
