"""A program on an engine: chain after chain, an image loaded where it changes, the host's steps between."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ese_host.ir.fixed import Codes
from ese_host.ir.program import Chain, ProgramRun, Value, run
from ese_host.ir.program.run import Inputs
from ese_host.protocol.results import Result, joined, stacked
from ese_host.runtime.accelerator import Accelerator


@dataclass(frozen=True, eq=False)
class ProgramResult:
    """What an engine and the host made of some samples.

    Attributes:
        run: every tensor, and what each chain was fed; its `values` and `classes` are the answers.
        chains: the engine's result of each chain, by name, in the engine's order of steps; with traces where asked for.
        loads: images loaded. load_seconds: host time for that. glue_seconds: host time of the steps between.
    """

    run: ProgramRun
    chains: dict[str, Result]
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


@dataclass
class _Engine:
    """Runs chains on an accelerator and keeps count."""

    accelerator: Accelerator
    trace: bool
    chains: dict[str, Result] = field(default_factory=dict)
    loads: int = 0
    load_seconds: float = 0.0
    seconds: float = 0.0

    def execute(self, chain: Chain, fed: Value) -> Codes:
        begun = time.perf_counter()
        self.loads += self.accelerator.select(chain.name)
        loaded = time.perf_counter()
        result = self.accelerator.run(fed.codes, fed.steps, trace=self.trace)
        self.chains[chain.name] = result
        self.load_seconds += loaded - begun
        self.seconds += time.perf_counter() - begun
        frac = self.accelerator.program.tensors[chain.target].frac
        return np.right_shift(result.outputs, result.frac - frac)  # an exact sum has zeros there


def run_program(accelerator: Accelerator, inputs: Inputs, lengths: Any = None, *, trace: bool = False) -> ProgramResult:
    """Run samples through an accelerator's program, all of them through one chain before the next.

    Args:
        accelerator: the engine; an image is loaded only where another one is in it.
        inputs: see `ese_host.ir.program.run.values_of`.
        lengths: see there.
        trace: stream every element-wise result of every chain.

    Raises:
        EseError: inputs that do not fit; the device failed, and the next call configures it anew.
    """
    engine = _Engine(accelerator, trace)
    begun = time.perf_counter()
    made = run(accelerator.program, inputs, lengths, engine.execute)
    glue = time.perf_counter() - begun - engine.seconds
    return ProgramResult(made, engine.chains, engine.loads, engine.load_seconds, glue)


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
