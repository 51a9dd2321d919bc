# SPDX-License-Identifier: Apache-2.0
"""The command `ese4ml`: the commands that run on a board are here, the others come with their extras."""

from __future__ import annotations

import errno
import json
import sys
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

import click

from ese_host.cli.device_options import on_an_engine, opening
from ese_host.cli.estimate import estimate
from ese_host.cli.floats import live
from ese_host.cli.options import AS_JSON, FILE, FOLDER
from ese_host.cli.output import say
from ese_host.cli.paths import WritablePath
from ese_host.cli.phones import decode, phone_rates
from ese_host.cli.progress import progress
from ese_host.cli.verbosity import add_verbosity, note
from ese_host.errors import EseError, ExitCode, StorageError
from ese_host.extras import extra_of, needs
from ese_host.files import FULL

GROUP = "ese4ml.commands"
NOT_WRITABLE = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO),
    *(errno.ENOENT, errno.EINVAL, errno.EBUSY, errno.EPIPE),  # of /proc, removed folders and pipes that nobody reads
    *(errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY, errno.ENAMETOOLONG, errno.ELOOP),
}
"""Errors of the operating system that say that something cannot be written: readers turn theirs into refusals."""


class Commands(click.Group):
    """The commands of this module and those of the entry point group `ese4ml.commands`, imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands."""
        return sorted({*super().list_commands(ctx), *(point.name for point in _points())})

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """A command by its name, or None if there is none; a command whose extra is missing says so when it runs.

        Each has --quiet and --verbose, and -h, which it inherits from the group.
        """
        command = super().get_command(ctx, name) or self._loaded(name)
        return None if command is None else add_verbosity(command)

    def _loaded(self, name: str) -> click.Command | None:
        """A command of an entry point."""
        point = next((point for point in _points() if point.name == name), None)
        if point is None:
            return None
        try:
            loaded = point.load()
        except ImportError as error:
            return _unavailable(name, extra_of(error.name) or extra_of(point.module), error)
        return loaded if isinstance(loaded, click.Command) else None

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; turn this project's errors and a disk's into one line and an exit code."""
        try:
            return super().invoke(ctx)
        except EseError as error:
            _refuse(ctx, error)
        except ModuleNotFoundError as error:
            extra = extra_of(error.name)
            if not extra:
                raise
            _refuse(ctx, needs(_name(ctx), extra))
        except OSError as error:
            if error.errno not in FULL | NOT_WRITABLE:
                raise
            _refuse(ctx, _not_written(_name(ctx), error))
        except (KeyboardInterrupt, click.Abort):
            say("interrupted", err=True)
            ctx.exit(ExitCode.INTERRUPTED)


def _name(ctx: click.Context) -> str:
    """The command as the user calls it; which one is known only after it has been invoked."""
    return f"ese4ml {ctx.invoked_subcommand or ''}"


def _not_written(command: str, error: OSError) -> StorageError:
    """The refusal that stands for an error of the operating system while a command writes."""
    way_out = "free some space" if error.errno in FULL else "make it writable for this user"
    place = error.filename2 or error.filename or "its output"  # of two, the second is the target
    return StorageError(
        f"{command} cannot write {place} ({error.strerror}); {way_out}, or choose another place for the output"
    )


def _points() -> list[metadata.EntryPoint]:
    return list(metadata.entry_points(group=GROUP))


def _unavailable(name: str, extra: str, error: ImportError) -> click.Command:
    """A command that stands for one that cannot be imported, and names the missing extra."""

    def run(**_: Any) -> NoReturn:
        if not extra:
            raise error
        raise needs(f"ese4ml {name}", extra) from error

    options = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
    return click.Command(
        name,
        callback=run,
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
        context_settings=options,
        short_help=f"(needs the '{extra}' extra)",
    )


def _refuse(ctx: click.Context, error: EseError) -> NoReturn:
    say(f"error: {' '.join(str(error).split())}", err=True)
    ctx.exit(error.exit_code)


EXIT_CODES = "\n".join(["\b", "Exit codes:", *(f"  {code.value:>3}  {code.meaning}" for code in ExitCode)])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES)
@click.version_option(package_name="ese4ml", prog_name="ese4ml")
def main() -> None:
    """QKeras models as load-balanced sparse LSTM and FC accelerators on small FPGAs."""


add_verbosity(main)
main.add_command(decode)
main.add_command(estimate)
main.add_command(live)


@main.command()
@click.argument("folder", type=FOLDER)
@AS_JSON
def info(folder: Path, as_json: bool) -> None:
    """Check the files of a design FOLDER and print what it holds."""
    from ese_host.bundle import BIT, Folder
    from ese_host.device import recorded

    opened = Folder.open(folder)
    opened.check()
    value = opened.manifest.to_json()
    if as_json:
        say(json.dumps(value, indent=2))
        return
    design = opened.manifest.design
    engine = ", engine in RTL," if opened.manifest.engine == "rtl" else ""
    say(f"{folder}: {value['kind']}{engine} for {value['board']} ({value['part']}) at {value['clock_mhz']} MHz")
    images = [value["image_id"], *value.get("further_images", [])]
    ids = f"image{'s' * (len(images) > 1)} {', '.join(images)}"
    say(f"design {value['design_id']}: {design.weights} weights, {design.pes} PEs; {ids}")
    if opened.manifest.kind == "emulated":
        sha256 = opened.manifest.files[BIT]
        origin = "was built by this user" if recorded(sha256) else "was not built by this user and needs --trust"
        say(f"{BIT} is native code, which {origin}: SHA-256 {sha256}")
    say(f"{len(value['files'])} files, every SHA-256 as in the manifest: {', '.join(sorted(value['files']))}")
    for warning in opened.manifest.warnings:
        say(f"warning of the conversion: {warning}")


@main.command()
@click.argument("folder", type=FOLDER)
@click.option(
    "--input",
    "file",
    type=FILE,
    help="An .npz file with samples `x` (`x_0` ... for several inputs), an .npy file of them, a .csv file with a frame "
    "or a vector in each row, or a test set.  [default: the design's test set]",
)
@click.option(
    "--output",
    "out",
    type=WritablePath(".csv", ".npy", ".npz"),
    help="A .csv, .npy or .npz file for the values of all outputs; needs --input.",
)
@click.option(
    "--scaled", is_flag=True, help="The samples are the model's inputs already, and not values as they were recorded."
)
@click.option("--all", "print_all", is_flag=True, help="Print the class or value of each sequence, one a line.")
@on_an_engine
@AS_JSON
def run(
    folder: Path, file: Path | None, out: Path | None, scaled: bool, print_all: bool, as_json: bool, **options: Any
) -> None:
    """Run the test set of the design in FOLDER and print how many sequences are of each class, by the first output.

    With labels in the test set, the accuracy is printed too, and with labels of frames and a decoder in the design the
    phone error rate. With --input, samples of your own are run, and the class
    of each is printed. An output of a single value that is no sigmoid has no classes: its values are printed, or for a
    test set their range. In a .csv file, the rows are the frames of one sequence, or of as many as the model's fixed
    length allows; empty lines separate sequences.
    """
    from ese_host.bundle import TESTSET, read_decoder, testset
    from ese_host.cli.floats import holds_samples, run_samples
    from ese_host.decoding import PhoneScores
    from ese_host.runtime import Accelerator, run_program

    if out is not None and file is None:
        raise click.UsageError("--output needs --input: name the file of samples")
    if file is not None and (out is not None or scaled or holds_samples(file)):
        run_samples(folder, file, out, scaled, as_json, **opening(**options))
        return
    if scaled:
        raise click.UsageError("--scaled needs --input: the test set holds the model's inputs")
    with Accelerator(folder, **opening(**options)) as accelerator:
        tests = testset.read(file or accelerator.folder.file(TESTSET), accelerator.program)
        decoder, labels = read_decoder(accelerator.folder, accelerator.program), tests.outputs[0].frame_labels
        phones = None if decoder is None or labels is None else PhoneScores(decoder, labels)
        classified = accelerator.program.has_classes(accelerator.program.outputs[0])
        found: list[float] = []
        cycles, seconds = 0, 0.0
        for start in range(0, len(tests.steps), tests.at_once):
            result = run_program(accelerator, *tests.part(start, start + tests.at_once))
            if phones is not None:
                phones.add(result.run)
            if classified:
                found += result.run.classes().tolist()
            else:
                last = result.run.output().steps - 1
                found += result.run.values()[range(len(last)), last, 0].tolist()
            cycles, seconds = cycles + result.cycles, seconds + result.seconds
    steps = int(tests.steps.sum())
    rates = {} if phones is None else phones.to_json()
    if as_json:
        values = {"classes" if classified else "values": found, "steps": steps, "cycles": cycles, "seconds": seconds}
        say(json.dumps({**values, "phones": rates} if rates else values))
    elif print_all:
        say("\n".join(f"{item:.9g}" for item in found))
    else:
        _print_run(found, classified, tests.outputs[0].labels, steps, cycles)
        if rates:
            say(phone_rates(rates))


def _print_run(found: list[float], classified: bool, labels: Any, steps: int, cycles: int) -> None:
    """Print a summary of a run."""
    say(f"{len(found):,} sequences, {steps:,} steps; {cycles / steps:,.1f} cycles per step")
    if not classified:
        say(f"values from {min(found):.9g} to {max(found):.9g}")
        return
    say(", ".join(f"class {name}: {count:,}" for name, count in sorted(Counter(found).items())))
    if labels is not None:
        right = sum(int(one == other) for one, other in zip(found, labels, strict=True))
        say(f"accuracy: {100 * right / len(found):.2f}% ({right:,} of {len(found):,})")


@main.command()
@click.argument("folder", type=FOLDER)
@click.option(
    "--trace/--no-trace", default=None, help="Compare h and c of every step too.  [default: only in emulation]"
)
@click.option(
    "--report",
    "out",
    type=FOLDER,
    default=Path("build/report"),
    show_default=True,
    help="Folder that report.json and report.html are written to.",
)
@on_an_engine
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
def check(folder: Path, trace: bool | None, out: Path, as_json: bool, **options: Any) -> None:
    """Run the test set of the design in FOLDER and compare every value with the golden model.

    The exit code is 1 if any value differs.
    """
    from ese_host.check import check as run_check
    from ese_host.check import report as files

    command = f"ese4ml {' '.join(sys.argv[1:])}"
    with progress("check") as step:
        report = run_check(folder, trace=trace, command=command, progress=step, **opening(**options))
    if as_json:
        say(json.dumps(report, indent=2))
    else:
        _print(report)
    written = files.write(report, out)
    if not as_json:
        note("report: " + ", ".join(str(path) for path in written))
    if not report["bit_exact"]:
        click.get_current_context().exit(ExitCode.DIFFERS)


def _print(report: dict[str, Any]) -> None:
    exact = f"bit-exact: {report['values_compared']:,} values equal the golden model's"
    wrong = f"NOT bit-exact: {report['mismatches']:,} of {report['values_compared']:,} values differ"
    say(exact if report["bit_exact"] else f"{wrong}; first: {report['first_mismatch']}")
    for name, value in report["accuracy"].items():
        say(f"accuracy, {name}: {100 * value:.2f}%")
    if "phones" in report:
        say(phone_rates(report["phones"]))
    for row in report["outputs"]:
        of = f"{row['output']}: " * (len(report["outputs"]) > 1)
        if "accuracy" in row and row is not report["outputs"][0]:
            say(f"{of}accuracy, engine: {100 * row['accuracy']:.2f}%")
        if "agreement_with_keras" in row:
            say(f"{of}same class as Keras: {100 * row['agreement_with_keras']:.2f}%")
        if "difference_from_keras" in row:
            say(f"{of}largest difference from Keras: {row['difference_from_keras']:.3g}")
        if "rms_error" in row:
            keras = f", of Keras {row['rms_error_of_keras']:.3g}" if "rms_error_of_keras" in row else ""
            say(f"{of}root mean square error of the engine {row['rms_error']:.3g}{keras}")
    label = report["basis"]["frames_per_s"]["label"]
    say(
        f"{report['cycles_per_step']:.1f} cycles per step; {report['frames_per_s']:,.0f} frames/s ({label}); "
        f"latency p50 {report['latency_ms']['p50']:.2f} ms, p99 {report['latency_ms']['p99']:.2f} ms (this host)"
    )
    by = report["basis"]["engine_us_per_call"]["label"]
    say(
        f"a call of one sequence: host {report['host_us_per_call']:.0f} us (measured), "
        f"engine {report['engine_us_per_call']:.0f} us ({by})"
    )
    packets = report.get("session", {}).get("packets", [])
    if packets:
        times = ", ".join(f"{row['us_per_frame']:.0f} us with {row['frames']}" for row in packets)
        say(f"a frame of a session, by frames per packet: {times} (host measured here, engine {by})")
    if len(report["chains"]) > 1:
        host = report["host_seconds"]
        for row in report["chains"]:
            say(f"chain {row['chain']}: {row['cycles_per_step']:.1f} cycles per step, {row['steps']} steps")
        say("host, measured: " + ", ".join(f"{name} {1e3 * seconds:.1f} ms" for name, seconds in host.items()))
    power = report["power"]
    rails = ", ".join(f"{name} {watts:.2f} W" for name, watts in power["watts"].items())
    say(f"power, measured: {rails}" if rails else f"power: {power['note']}")
