# SPDX-License-Identifier: Apache-2.0
"""Run a program on one engine: chain after chain, with the host's operations between them.

A chain's image is loaded only if the engine holds another one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ese_host.errors import DeviceError
from ese_host.ir import Codes, Lengths
from ese_host.ir.program import Chain, Inputs, Program, ProgramRun, Value, run
from ese_host.protocol import RunResult, joined, stacked


@dataclass(frozen=True, eq=False)
class ProgramResult:
    """The result of running a program on some samples.

    Attributes:
        run: every tensor of the program and the input of each chain; `run.values()` and `run.classes()` give the
            program's answer.
        chains: {chain: the engine's result}, its steps in the order in which the engine ran them. Traces are there
            if they were asked for.
        loads: how many images were loaded.
        load_seconds: host time for loading them.
        glue_seconds: host time of the operations between the chains.
    """

    run: ProgramRun
    chains: dict[str, RunResult]
    loads: int
    load_seconds: float
    glue_seconds: float

    @property
    def cycles(self) -> int:
        """The engine's loop iterations, summed over all chains."""
        return sum(result.cycles for result in self.chains.values())

    @property
    def engine_seconds(self) -> float:
        """Host time from packet to answer, summed over all chains."""
        return sum(result.seconds for result in self.chains.values())

    @property
    def seconds(self) -> float:
        """Host time of the whole program: chains, loads and the operations between the chains."""
        return self.engine_seconds + self.load_seconds + self.glue_seconds


class ChainEngine(Protocol):
    """An engine that can load a chain's image and run sequences: `Accelerator` or `DirectEngine`."""

    @property
    def program(self) -> Program:
        """The program whose chains the engine runs."""

    def exclusive(self) -> AbstractContextManager[None]:
        """Context in which other threads wait, so that no other chain is selected between `select` and `run`."""

    def select(self, chain: str) -> bool:
        """Load a chain's image unless the engine holds it already; returns whether it was loaded."""

    def run(self, inputs: Codes, lengths: Lengths, *, trace: bool) -> RunResult:
        """Run sequences through the chain that was selected last.

        Args:
            inputs: (N, T, inputs) codes in the network's input format.
            lengths: (N,) steps to run of each sequence.
            trace: whether to return every element-wise result too.
        """


@dataclass
class _Runner:
    """Runs chains on an engine, keeps their results and adds up loads and times."""

    engine: ChainEngine
    trace: bool
    strict: bool
    chains: dict[str, RunResult] = field(default_factory=dict)
    loads: int = 0
    load_seconds: float = 0.0
    seconds: float = 0.0

    def execute(self, chain: Chain, fed: Value) -> Codes:
        """Run one chain on its input; returns the codes of its target tensor."""
        begun = time.perf_counter()
        self.loads += self.engine.select(chain.name)
        loaded = time.perf_counter()
        result = self.engine.run(fed.codes, fed.steps, trace=self.trace)
        self.chains[chain.name] = result
        self.load_seconds += loaded - begun
        self.seconds += time.perf_counter() - begun
        return target_codes(self.engine.program, chain, result, self.strict)


def target_codes(program: Program, chain: Chain, result: RunResult, strict: bool) -> Codes:
    """Codes of a chain's target tensor from the engine's result.

    The engine gives exact sums more fractional bits than their terms have; those bits must be zero.

    Args:
        program: the program.
        chain: the chain that was run.
        result: the engine's result.
        strict: whether other bits than zero are refused, or cut off.

    Raises:
        DeviceError: if they are refused.
    """
    zero_bits = result.frac - program.tensors[chain.target].frac
    codes = np.right_shift(result.outputs, zero_bits)
    if strict and not np.array_equal(np.left_shift(codes, zero_bits), result.outputs):
        raise DeviceError(
            f"chain {chain.name!r}: the lowest {zero_bits} bits of the engine's sums are not zero, although no "
            "term has such bits; compile the project again"
        )
    return codes


def run_program(
    engine: ChainEngine, inputs: Inputs, lengths: Any = None, *, trace: bool = False, strict: bool = False
) -> ProgramResult:
    """Run samples through an engine's program: all samples through one chain, then all through the next.

    Args:
        engine: the engine to run on.
        inputs: codes of the program's inputs, as `ese_host.ir.program.values_of` takes them.
        lengths: steps to run of each sample, as `ese_host.ir.program.values_of` takes them.
        trace: whether to return every element-wise result of every chain too.
        strict: whether to refuse an exact sum with non-zero bits below those of its terms. Otherwise these bits are
            cut off, and only a comparison of `chains` with the golden model finds them.

    Raises:
        EseError: if the inputs do not fit the program, or the device fails; the next call configures it again.
    """
    runner = _Runner(engine, trace, strict)
    with engine.exclusive():
        begun = time.perf_counter()
        program_run = run(engine.program, inputs, lengths, runner.execute)
        ended = time.perf_counter()
    glue = ended - begun - runner.seconds
    return ProgramResult(program_run, runner.chains, runner.loads, runner.load_seconds, glue)


def joined_programs(parts: Sequence[ProgramResult]) -> ProgramResult:
    """Join the results of several batches of samples into one."""
    first = parts[0]
    names = list(first.run.tensors)
    tensors = {name: _stacked([part.run.tensors[name] for part in parts]) for name in names}
    fed = {name: _stacked([part.run.fed[name] for part in parts]) for name in first.run.fed}
    return ProgramResult(
        ProgramRun(first.run.program, tensors, fed),
        {name: joined([part.chains[name] for part in parts]) for name in first.chains},
        sum(part.loads for part in parts),
        sum(part.load_seconds for part in parts),
        sum(part.glue_seconds for part in parts),
    )


def _stacked(values: list[Value]) -> Value:
    codes, steps = stacked([value.codes for value in values]), np.concatenate([value.steps for value in values])
    return Value(values[0].tensor, codes, steps)
