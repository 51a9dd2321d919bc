"""Engine against golden model, value by value: no tolerance anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ese_host.errors import MismatchError
from ese_host.ir import Codes, Dense, Lengths, Lstm, Network, golden
from ese_host.ir.program import run as run_golden
from ese_host.protocol import AnswerShape, RunResult
from ese_host.runtime import ProgramResult


@dataclass
class Comparison:
    """How many values were compared, how many differ, and where the first one does."""

    values: int = 0
    mismatches: int = 0
    first: str | None = None

    def add(self, name: str, found: Codes, expected: Codes, sequences: Lengths) -> None:
        """Compare two (N, T, items) arrays; `sequences` (N,) are their numbers, for the message."""
        if found.shape != expected.shape:
            raise MismatchError(
                f"{name}: engine gives {found.shape}, golden {expected.shape}: are both of one network?"
            )
        self.values += found.size
        wrong = found != expected
        count = int(np.count_nonzero(wrong))
        self.mismatches += count
        if count and self.first is None:
            where = tuple(int(i) for i in np.argwhere(wrong)[0])
            sequence, step, item = where
            self.first = (
                f"{name}: sequence {int(sequences[sequence])}, step {step}, item {item}: "
                f"engine {int(found[where])}, golden {int(expected[where])}"
            )


@dataclass(frozen=True, eq=False)
class Expected:
    """One stage of the trace as the golden model has it; None where the golden model does not say."""

    exact: Codes
    stored: Codes | None
    cell: Codes | None


def scaled(codes: Codes, frac: int, wanted: int, name: str) -> Codes:
    """The same values with more fractional bits.

    Raises:
        MismatchError: the engine has fewer than the golden model needs.
    """
    if wanted < frac:
        raise MismatchError(
            f"{name}: the golden model has {frac} fractional bits, the engine {wanted}: build both anew"
        )
    return np.left_shift(codes, wanted - frac)


def expected_stages(network: Network, result: golden.GoldenResult, shape: AnswerShape) -> Iterator[Expected]:
    """The golden results in the order of `shape.stages`, with the engine's fractional bits."""
    stages = iter(shape.stages)
    for layer, values in zip(network.layers, result.layers, strict=True):
        stage = next(stages)
        if isinstance(layer, Lstm) and layer.projection is not None:
            exact = values.exact if values.m_exact is None else values.m_exact
            yield Expected(scaled(exact, layer.exact_output.frac, stage.frac, layer.name), values.m, values.c)
            stage = next(stages)
            yield Expected(scaled(values.exact, values.exact_frac, stage.frac, layer.name), values.h, None)
            continue
        stored = values.h if isinstance(layer, Lstm) else _dense_output(layer, values)
        yield Expected(scaled(values.exact, values.exact_frac, stage.frac, layer.name), stored, values.c)


def _dense_output(layer: Dense, values: golden.LayerResult) -> Codes | None:
    return None if layer.output is None else values.output


def compare(
    comparison: Comparison,
    network: Network,
    inputs: Codes,
    run: RunResult,
    shape: AnswerShape,
    first: int = 0,
    label: str = "",
) -> None:
    """Run the golden model on (N, T, inputs) codes and compare what the engine made of them.

    Args:
        comparison: is added to.
        network: the golden model.
        inputs: the codes that the engine got.
        run: the engine's outputs, traces (may be empty) and (N,) lengths.
        shape: of the network's answers.
        first: number of the first sequence, for messages.
        label: what stands before every name in them.
    """
    for steps in np.unique(run.steps):
        index = np.flatnonzero(run.steps == steps)
        result = golden.run(network, inputs[index, : int(steps)])
        expected = scaled(result.outputs, result.frac, shape.frac, "outputs")
        comparison.add(f"{label}outputs", run.outputs[index, : expected.shape[1]], expected, first + index)
        if not run.traces:
            continue
        for trace, want in zip(run.traces, expected_stages(network, result, shape), strict=True):
            for name in ("exact", "stored", "cell"):
                values = getattr(want, name)
                if values is not None:
                    found = getattr(trace, name)[index, : values.shape[1]]
                    comparison.add(
                        f"{label}{trace.stage.layer} {trace.stage.kind} {name}", found, values, first + index
                    )


def compare_program(
    comparison: Comparison, result: ProgramResult, shapes: Mapping[str, AnswerShape], first: int = 0
) -> None:
    """Run the golden model on a program's inputs and compare what an engine and the host made of them.

    Each chain is compared for what it was fed, and what it was fed with what the golden model feeds it: together they
    say that every chain is exact alone, and that the whole is. One chain alone has its outputs and trace to compare.

    Args:
        comparison: is added to.
        result: the engine's.
        shapes: of each chain's answers, by name.
        first: number of the first sample, for messages.
    """
    program = result.run.program
    if program.lone is not None:
        chain, fed = program.chains[0], result.run.fed[program.chains[0].name]
        compare(comparison, chain.network, fed.codes, result.chains[chain.name], shapes[chain.name], first)
        return
    inputs = {port.name: result.run.tensors[port.name] for port in program.inputs}
    expected = run_golden(
        program,
        {name: value.codes for name, value in inputs.items()},
        {name: value.steps for name, value in inputs.items()},
    )
    numbers = first + np.arange(len(next(iter(inputs.values())).steps))
    for chain in program.chains:
        label, fed = f"chain {chain.name}: ", result.run.fed[chain.name]
        comparison.add(f"{label}inputs", fed.codes, expected.fed[chain.name].codes, numbers)
        compare(comparison, chain.network, fed.codes, result.chains[chain.name], shapes[chain.name], first, label)
    for output in program.outputs:
        found, wanted = result.run.output(output.name), expected.output(output.name)
        comparison.add(f"output {output.name}", found.codes, wanted.codes, numbers)
