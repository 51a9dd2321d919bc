"""The command `ese4ml report`."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ese_host.bundle import ProvenanceRecord, beside
from ese_host.cli import AS_JSON, FILE
from ese_host.errors import FormatError
from ese_host.files import write_file
from ese_models.tensorflow_startup import quiet_tensorflow


@click.group()
def report() -> None:
    """Reports on a model or a design folder."""


@report.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--pes", type=click.IntRange(1, 1024), help="PEs of the interleave.  [default: the masks', else 1]")
@click.option("--gap-bits", type=click.IntRange(2, 12), help="Bits of an index.  [default: the masks', else cheapest]")
@click.option("--out", type=FILE, help="Write the table there, .md or .html.")
@AS_JSON
def compression(source: Path, pes: int | None, gap_bits: int | None, out: Path | None, as_json: bool) -> None:
    """Exact sizes of SOURCE, a .keras file or a design folder: the columns of Deep Compression's tables."""
    from ese_models.records import compression_report

    if out is not None and out.suffix not in (".md", ".html"):
        raise FormatError(f"{out} ends in {out.suffix!r}; .md or .html is allowed")
    matrices, made_pes, made_gap = _folder(source) if source.is_dir() else _model(source)
    sizes = compression_report.report(matrices, pes or made_pes, gap_bits or made_gap)
    rows = [size.to_json() for size in sizes]
    title = f"{source.name}, {pes or made_pes} PEs"
    if out is not None:
        write_file(out, page(title, rows) if out.suffix == ".html" else markdown(rows))
    if as_json:
        click.echo(
            json.dumps({"source": str(source), "pes": pes or made_pes, "matrices": rows[:-1], "total": rows[-1]})
        )
    else:
        click.echo(markdown(rows), nl=False)


def _folder(path: Path) -> tuple[list[Any], int, int | None]:
    """Matrices of a design folder, its PEs and gap bits."""
    from ese_models.records import of_folder

    return of_folder(path)


def _model(path: Path) -> tuple[list[Any], int, int | None]:
    """Matrices of a saved model, and the PEs and gap bits its masks were made for."""
    with quiet_tensorflow():
        from ese_models.networks import inspection
        from ese_models.records import of_model, provenance

    matrices = of_model(inspection.open_model(path))
    made = provenance.read(path) if beside(path).is_file() else ProvenanceRecord()
    return matrices, 1 if made.pes is None else made.pes, made.gap_bits


HEADINGS = (
    "matrix", "weights", "kept %", "padding", "weight bits P+Q", "weight bits P+Q+H", "index bits P+Q",
    "index bits P+Q+H", "compress rate P+Q %", "compress rate P+Q+H %", "P+Q x", "P+Q+H x",
)  # fmt: skip


def cells(rows: Sequence[dict[str, Any]]) -> list[list[str]]:
    """The table's text, row by row."""

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
