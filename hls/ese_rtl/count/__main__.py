# SPDX-License-Identifier: Apache-2.0
"""Count engines, and record the counts, which `ese4ml estimate` shows: `make count`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ese_host.estimate import Count, Recorded, record_counts, recorded_counts
from ese_rtl.count.cases import CASES
from ese_rtl.count.yosys import FLAGS, count, digest, text_of


@click.command()
@click.option(
    "--check",
    is_flag=True,
    help="Record nothing: count the cases NAMES again, and fail if a count is not the recorded one.",
)
@click.option("--paths", default=0, metavar="N", help="Show the N longest paths between registers, with their levels.")
@click.argument("names", nargs=-1, type=click.Choice(list(CASES)))
def main(check: bool, paths: int, names: Sequence[str]) -> None:
    r"""Count the engines NAMES, or all whose record is missing or of an older source.

    \f

    Args:
        check: whether to compare with the record only.
        paths: how many of the longest paths to show.
        names: of the engines.
    """
    wrong = []
    for name in names or CASES:
        record = recorded_counts().get(name)
        text = text_of(CASES[name])
        if record is not None and (record.rtlil != digest(text) or record.design != CASES[name]):
            record = None
        if record is not None and not names:
            click.echo(f"{name}: {described(record.count)} (recorded)")
            continue
        click.echo(f"{name}: counting, some minutes ...")
        found = count(text)
        if not check:
            made = Recorded(CASES[name], digest(text), FLAGS, found.yosys, found.seconds, found.count)
            # what another run has recorded in the meantime stays
            records = {**recorded_counts(), name: made}
            record_counts({case: records[case] for case in CASES if case in records})
        elif record is None or record.count != found.count:
            wrong.append(name)
        click.echo(f"{name}: {described(found.count)}, {found.seconds:.0f} s")
        for path in found.paths[:paths]:
            click.echo(f"  {path.levels:g} levels from {path.begin} to {path.end}")
    if wrong:
        raise click.ClickException(f"{', '.join(wrong)}: the record is another; run `make count` and commit its result")


def described(found: Count) -> str:
    """A count in one line."""
    return (
        f"{found.luts:,} LUTs ({found.logic:,} logic, {found.lutram:,} LUTRAM, {found.srl:,} shift registers), "
        f"{found.flip_flops:,} FF, {found.bram36:g} BRAM36, {found.dsps} DSP, {found.levels:g} levels of logic"
    )


if __name__ == "__main__":
    main()
