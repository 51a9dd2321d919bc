"""Several engines at once: one batch shared among accelerators of the same image, each with a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np

from ese_host.device import Closeable
from ese_host.errors import FormatError, MismatchError
from ese_host.ir import Lengths
from ese_host.ir.program import Inputs, values_of
from ese_host.protocol import RunResult, joined
from ese_host.runtime.accelerator import Accelerator
from ese_host.runtime.batches import Sequences, StepCounts
from ese_host.runtime.runner import ProgramResult, joined_programs, run_program

Part = TypeVar("Part")


class EnginePool(Closeable):
    """Accelerators, each on a device of its own, that hold the same image."""

    def __init__(self, accelerators: Sequence[Accelerator]) -> None:
        """Share work among accelerators; they are closed with this object.

        Raises:
            FormatError: there is none. MismatchError: they hold different images.
        """
        if not accelerators:
            raise FormatError("the pool got no accelerator; at least one is needed")
        ids = {tuple(part.image.image_id for part in accelerator.parts) for accelerator in accelerators}
        if len(ids) > 1:
            names = ", ".join(sorted(" and ".join(f"{number:#010x}" for number in one) for one in ids))
            raise MismatchError(f"the accelerators hold images {names}; one image is expected: load it into all")
        self._all = tuple(accelerators)
        self._pool = ThreadPoolExecutor(len(self._all), thread_name_prefix="ese4ml engines")

    def run(self, inputs: Sequences, lengths: StepCounts | None = None, *, trace: bool = False) -> RunResult:
        """`Accelerator.run`, the sequences split evenly by steps; results in the order of the inputs.

        `seconds` of the result is the engines' time in all, not the time that passed.

        Raises:
            EseError: as `Accelerator.run`; the first engine's that fails, when all have ended.
        """
        steps = np.asarray([len(item) for item in inputs] if lengths is None else lengths, dtype=np.int64)
        if len(steps) != len(inputs) or not len(steps):
            raise FormatError(f"there are {len(steps)} lengths for {len(inputs)} sequences; one for each is expected")
        return joined(
            self._each(
                steps, lambda engine, start, stop: engine.run(inputs[start:stop], steps[start:stop], trace=trace)
            )
        )

    def run_program(self, inputs: Inputs, lengths: Any = None, *, trace: bool = False) -> ProgramResult:
        """`ese_host.runtime.runner.run_program`, the samples split evenly by the steps of the first input.

        Raises:
            EseError: as there; the first engine's that fails, when all have ended.
        """
        values = values_of(self._all[0].program, inputs, lengths)

        def part(engine: Accelerator, start: int, stop: int) -> ProgramResult:
            codes = {name: value.codes[start:stop] for name, value in values.items()}
            steps = {name: value.steps[start:stop] for name, value in values.items()}
            return run_program(engine, codes, steps, trace=trace)

        return joined_programs(self._each(next(iter(values.values())).steps, part))

    def _each(self, steps: Lengths, part: Callable[[Accelerator, int, int], Part]) -> list[Part]:
        """What each engine makes of its part of the samples, from one number to the next."""
        share = np.cumsum(steps) * len(self._all) / max(1, int(steps.sum()))
        ends = [int(np.searchsorted(share, number + 1 - 1e-9)) + 1 for number in range(len(self._all) - 1)]
        bounds = [0, *(min(end, len(steps)) for end in ends), len(steps)]
        futures = [
            self._pool.submit(part, accelerator, start, stop)
            for accelerator, (start, stop) in zip(self._all, pairwise(bounds), strict=True)
            if stop > start
        ]
        errors = [future.exception() for future in futures]
        for error in errors:
            if error is not None:
                raise error
        return [future.result() for future in futures]

    def close(self) -> None:
        """Close all accelerators; a second time does nothing."""
        self._pool.shutdown()
        for accelerator in self._all:
            accelerator.close()
