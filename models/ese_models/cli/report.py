# SPDX-License-Identifier: Apache-2.0
"""The command `ese4ml report`."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ese_host.bundle import ProvenanceRecord, beside
from ese_host.cli import AS_JSON, MODEL_OR_FOLDER, WritablePath, say
from ese_host.files import write_file
from ese_host.tensorflow_startup import quiet_tensorflow


@click.group()
def report() -> None:
    """Write reports about a model or a design folder."""


@report.command()
@click.argument("source", type=MODEL_OR_FOLDER)
@click.option(
    "--pes",
    type=click.IntRange(1, 1024),
    help="Number of processing elements (PEs) over which rows are interleaved.  [default: that for which SOURCE was "
    "made, or 1 if it does not say]",
)
@click.option(
    "--gap-bits",
    type=click.IntRange(2, 12),
    help="Bits of the relative index.  [default: those for which SOURCE was made, or the cheapest of each matrix if it "
    "does not say]",
)
@click.option(
    "--out",
    type=WritablePath(".md", ".html"),
    help="Also write the table to this file, .md or .html.  [default: print only]",
)
@AS_JSON
def compression(source: Path, pes: int | None, gap_bits: int | None, out: Path | None, as_json: bool) -> None:
    """Print the exact storage size of each matrix of SOURCE, a .keras file or a design folder.

    The columns are those of tables 4 and 5 of Deep Compression (1510.00149): P+Q is pruned and quantized, P+Q+H also
    Huffman-coded.
    """
    with quiet_tensorflow():
        from ese_models.records import compression_report

    matrices, source_pes, source_gap_bits = _folder(source) if source.is_dir() else _model(source)
    pes = pes or source_pes
    sizes = compression_report.report(matrices, pes, gap_bits or source_gap_bits)
    rows = [size.to_json() for size in sizes]
    title = f"{source.name}, {pes} PEs"
    if out is not None:
        write_file(out, page(title, rows) if out.suffix == ".html" else markdown(rows))
    if as_json:
        say(json.dumps({"source": str(source), "pes": pes, "matrices": rows[:-1], "total": rows[-1]}))
    else:
        say(markdown(rows).removesuffix("\n"))


def _folder(path: Path) -> tuple[list[Any], int, int | None]:
    """Matrices of a design folder, its number of PEs, and its gap bits."""
    from ese_models.records import of_folder

    return of_folder(path)


def _model(path: Path) -> tuple[list[Any], int, int | None]:
    """Matrices of a saved model, and the number of PEs and the gap bits for which its masks were chosen.

    A model without provenance counts as made for 1 PE and no gap bits.
    """
    with quiet_tensorflow():
        from ese_models.networks import inspection
        from ese_models.records import of_model, provenance

    matrices = of_model(inspection.load_model(path))
    record = provenance.read(path) if beside(path).is_file() else ProvenanceRecord()
    return matrices, 1 if record.pes is None else record.pes, record.gap_bits


HEADINGS = (
    "matrix", "weights", "kept %", "padding", "weight bits P+Q", "weight bits P+Q+H", "index bits P+Q",
    "index bits P+Q+H", "compress rate P+Q %", "compress rate P+Q+H %", "P+Q x", "P+Q+H x",
)  # fmt: skip
"""Headings of the table's columns, the keys of a row."""


def cells(rows: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Text of the table's cells, row by row; `rows` are those of `StorageSize.to_json`."""

    def shown(value: Any) -> str:
        return value if isinstance(value, str) else f"{value:,}" if isinstance(value, int) else f"{value:.2f}"

    return [[shown(row["name" if heading == "matrix" else heading]) for heading in HEADINGS] for row in rows]


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """The table in Markdown."""
    lines = [HEADINGS, ["---", *["---:"] * (len(HEADINGS) - 1)], *cells(rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def page(title: str, rows: Sequence[dict[str, Any]]) -> str:
    """The table as an HTML page."""
    head = "".join(f"<th>{html.escape(heading)}</th>" for heading in HEADINGS)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in line)}</tr>\n" for line in cells(rows))
    style = "body{font-family:sans-serif}td,th{padding:2px 8px;text-align:right}td:first-child{text-align:left}"
    return (
        f"<!doctype html>\n<meta charset='utf-8'>\n<title>{html.escape(title)}</title>\n<style>{style}</style>\n"
        f"<h1>{html.escape(title)}</h1>\n<table>\n<tr>{head}</tr>\n{body}</table>\n"
    )
