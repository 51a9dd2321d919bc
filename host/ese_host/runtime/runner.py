"""A program on an engine: chain after chain, an image loaded where it changes, the host's steps between."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ese_host.errors import DeviceError
from ese_host.ir import Codes, Lengths
from ese_host.ir.program import Chain, Inputs, Program, ProgramRun, Value, run
from ese_host.protocol import RunResult, joined, stacked


@dataclass(frozen=True, eq=False)
class ProgramResult:
    """What an engine and the host made of some samples.

    Attributes:
        run: every tensor, and what each chain was fed; its `values` and `classes` are the answers.
        chains: the engine's result of each chain, by name, in the engine's order of steps; with traces where asked for.
        loads: images loaded. load_seconds: host time for that. glue_seconds: host time of the steps between.
    """

    run: ProgramRun
    chains: dict[str, RunResult]
    loads: int
    load_seconds: float
    glue_seconds: float

    @property
    def cycles(self) -> int:
        """The engine's own iterations over all chains."""
        return sum(result.cycles for result in self.chains.values())

    @property
    def engine_seconds(self) -> float:
        """Host time from packet to answer, over all chains."""
        return sum(result.seconds for result in self.chains.values())

    @property
    def seconds(self) -> float:
        """Host time of everything: chains, loads and the steps between."""
        return self.engine_seconds + self.load_seconds + self.glue_seconds


class ChainEngine(Protocol):
    """What can hold a chain's image and run sequences through it: `Accelerator`, `DirectEngine`."""

    @property
    def program(self) -> Program:
        """The program whose chains it runs."""

    def select(self, chain: str) -> bool:
        """Load a chain's image, unless the engine holds it; returns whether it was loaded."""

    def run(self, inputs: Codes, lengths: Lengths, *, trace: bool) -> RunResult:
        """Run (N, T, inputs) codes, of each sequence the first of its `lengths` (N,) steps."""


@dataclass
class _Runner:
    """Runs chains on an engine and keeps count."""

    engine: ChainEngine
    trace: bool
    strict: bool
    chains: dict[str, RunResult] = field(default_factory=dict)
    loads: int = 0
    load_seconds: float = 0.0
    seconds: float = 0.0

    def execute(self, chain: Chain, fed: Value) -> Codes:
        begun = time.perf_counter()
        self.loads += self.engine.select(chain.name)
        loaded = time.perf_counter()
        result = self.engine.run(fed.codes, fed.steps, trace=self.trace)
        self.chains[chain.name] = result
        self.load_seconds += loaded - begun
        self.seconds += time.perf_counter() - begun
        zeros = result.frac - self.engine.program.tensors[chain.target].frac
        codes = np.right_shift(result.outputs, zeros)  # an exact sum has zeros there, which its terms have not
        if self.strict and not np.array_equal(np.left_shift(codes, zeros), result.outputs):
            raise DeviceError(
                f"chain {chain.name!r}: the engine's sums have bits that no term has; compile the project again"
            )
        return codes


def run_program(
    engine: ChainEngine, inputs: Inputs, lengths: Any = None, *, trace: bool = False, strict: bool = False
) -> ProgramResult:
    """Run samples through an engine's program, all of them through one chain before the next.

    Args:
        engine: an image is loaded only where another one is in it.
        inputs: see `ese_host.ir.program.run.values_of`.
        lengths: see there.
        trace: stream every element-wise result of every chain.
        strict: refuse an exact sum with bits below those of its terms; else they are cut off, and whoever compares
            `chains` with the golden model finds them.

    Raises:
        EseError: inputs that do not fit; the device failed, and the next call configures it anew.
    """
    runner = _Runner(engine, trace, strict)
    begun = time.perf_counter()
    made = run(engine.program, inputs, lengths, runner.execute)
    glue = time.perf_counter() - begun - runner.seconds
    return ProgramResult(made, runner.chains, runner.loads, runner.load_seconds, glue)


def joined_programs(parts: Sequence[ProgramResult]) -> ProgramResult:
    """Results of several batches as one."""
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
