# SPDX-License-Identifier: Apache-2.0
"""Comparison of the engine with the golden model, value by value and without any tolerance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ese_host.errors import MismatchError
from ese_host.ir import Codes, Dense, Gru, Lengths, Lstm, Network, alike, golden
from ese_host.ir.program import run as run_golden
from ese_host.protocol import AnswerShape, RunResult
from ese_host.runtime import ProgramResult


@dataclass
class Comparison:
    """Result of comparisons so far.

    Attributes:
        values: number of values compared.
        mismatches: number of values that differ.
        first: the first value that differs, in words, or None.
    """

    values: int = 0
    mismatches: int = 0
    first: str | None = None

    def add(self, name: str, actual: Codes, expected: Codes, sequences: Lengths) -> None:
        """Compare two arrays and add the result.

        Args:
            name: name of the values, for messages.
            actual: (N, T, items) values of the engine.
            expected: (N, T, items) values of the golden model.
            sequences: (N,) numbers of the sequences, for messages.

        Raises:
            MismatchError: if the shapes differ.
        """
        if actual.shape != expected.shape:
            raise MismatchError(
                f"{name}: engine gives {actual.shape}, golden {expected.shape}; build both from the same network"
            )
        self.values += actual.size
        wrong = actual != expected
        count = int(np.count_nonzero(wrong))
        self.mismatches += count
        if count and self.first is None:
            index = tuple(int(i) for i in np.argwhere(wrong)[0])
            sequence, step, item = index
            self.first = (
                f"{name}: sequence {int(sequences[sequence])}, step {step}, item {item}: "
                f"engine {int(actual[index])}, golden {int(expected[index])}"
            )


@dataclass(frozen=True, eq=False)
class Expected:
    """Values of one trace stage in the golden model; None for values that the golden model does not have.

    Attributes:
        exact: (N, T, items) exact results.
        stored: (N, T, items) results in the format in which they are stored.
        cell: (N, T, items) LSTM cell states.
    """

    exact: Codes
    stored: Codes | None
    cell: Codes | None


def scaled(codes: Codes, frac: int, wanted: int, name: str) -> Codes:
    """The same values with more fractional bits.

    Args:
        codes: integer values with `frac` fractional bits.
        frac: fractional bits of `codes`.
        wanted: fractional bits of the result.
        name: name of the values, for messages.

    Raises:
        MismatchError: if `wanted` is less than `frac`.
    """
    if wanted < frac:
        raise MismatchError(
            f"{name}: the golden model has {frac} fractional bits, the engine only {wanted}; build both again"
        )
    return np.left_shift(codes, wanted - frac)


def expected_stages(network: Network, result: golden.GoldenResult, shape: AnswerShape) -> Iterator[Expected]:
    """The values of every trace stage in the golden model, in the order of `shape.stages`.

    Args:
        network: the golden model.
        result: what the golden model computed.
        shape: shape of the engine's answers; its stages give the fractional bits.

    Raises:
        MismatchError: if a stage of the engine has fewer fractional bits than the golden model.
    """
    stages = iter(shape.stages)
    for layer, values in zip(network.layers, result.layers, strict=True):
        stage = next(stages)
        if isinstance(layer, Lstm) and layer.projection is not None:
            exact = values.exact if values.m_exact is None else values.m_exact
            yield Expected(scaled(exact, layer.exact_output.frac, stage.frac, layer.name), values.m, values.c)
            stage = next(stages)
            yield Expected(scaled(values.exact, values.exact_frac, stage.frac, layer.name), values.h, None)
            continue
        if isinstance(layer, Gru) and values.reset_exact is not None:
            yield Expected(
                scaled(values.reset_exact, layer.exact_reset.frac, stage.frac, layer.name), values.reset, None
            )
            stage = next(stages)
        stored = _dense_output(layer, values) if isinstance(layer, Dense) else values.h
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
    """Run the golden model of one network on the engine's inputs and compare the results.

    Args:
        comparison: the result of the comparison is added to it.
        network: the golden model.
        inputs: (N, T, inputs) codes that the engine got.
        run: outputs, traces (may be empty) and (N,) lengths that the engine returned.
        shape: shape of the engine's answers.
        first: number of the first sequence, for messages.
        label: text before every name in messages.

    Raises:
        MismatchError: if shapes or fractional bits show that engine and golden model are of different networks.
    """
    for steps, index in alike(run.steps):
        result = golden.run(network, inputs[index, :steps])
        expected = scaled(result.outputs, result.frac, shape.frac, "outputs")
        comparison.add(f"{label}outputs", run.outputs[index, : expected.shape[1]], expected, first + index)
        if not run.traces:
            continue
        for trace, stage in zip(run.traces, expected_stages(network, result, shape), strict=True):
            for name in ("exact", "stored", "cell"):
                values = getattr(stage, name)
                if values is not None:
                    actual = getattr(trace, name)[index, : values.shape[1]]
                    comparison.add(
                        f"{label}{trace.stage.layer} {trace.stage.kind} {name}", actual, values, first + index
                    )


def compare_program(
    comparison: Comparison, result: ProgramResult, shapes: Mapping[str, AnswerShape], first: int = 0
) -> None:
    """Run the golden model of a program on its inputs and compare the results of engine and host.

    Every chain is compared on the inputs that it was fed, and these inputs with those that the golden model feeds it.
    Together this shows that each chain is exact, and that the whole program is. A program of a single chain is compared
    by its outputs and trace only.

    Args:
        comparison: the result of the comparison is added to it.
        result: results of engine and host.
        shapes: shape of the engine's answers for each chain, by the chain's name.
        first: number of the first sample, for messages.

    Raises:
        MismatchError: if shapes or fractional bits show that engine and golden model are of different networks.
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
        actual, golden_output = result.run.output(output.name), expected.output(output.name)
        comparison.add(f"output {output.name}", actual.codes, golden_output.codes, numbers)
