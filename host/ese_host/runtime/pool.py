# SPDX-License-Identifier: Apache-2.0
"""Several engines at once: accelerators with the same model share one batch, each in its own thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np

from ese_host.device import Closeable
from ese_host.errors import FormatError, MismatchError
from ese_host.ir import Lengths, lengths_of, sequences_of, shown
from ese_host.ir.program import Inputs, values_of
from ese_host.protocol import RunResult, joined
from ese_host.runtime.accelerator import Accelerator
from ese_host.runtime.batches import Sequences, StepCounts
from ese_host.runtime.runner import ProgramResult, joined_programs, run_program

Part = TypeVar("Part")


class EnginePool(Closeable):
    """Accelerators on different devices that hold the same model and share the work."""

    def __init__(self, accelerators: Sequence[Accelerator]) -> None:
        """Share work among accelerators, which are closed together with the pool.

        Raises:
            FormatError: if there is no list of accelerators.
            MismatchError: if the accelerators hold different models.
        """
        listed = isinstance(accelerators, (list, tuple))
        if not listed or not accelerators or not all(isinstance(item, Accelerator) for item in accelerators):
            raise FormatError(f"the pool got {shown(accelerators)}; a list of at least one accelerator is expected")
        self._accelerators = tuple(accelerators)
        self._require_one_model()
        self._pool = ThreadPoolExecutor(len(self._accelerators), thread_name_prefix="ese4ml engines")

    def run(
        self,
        inputs: Sequences,
        lengths: StepCounts | None = None,
        *,
        trace: bool = False,
        timeout: float | None = None,
    ) -> RunResult:
        """Run sequences like `Accelerator.run`, split among the engines so that all get about as many steps.

        The results are in the order of the inputs. Their `seconds` are summed over the engines, which work at the
        same time: the time that passed is shorter.

        Args:
            inputs: (N, T, inputs) codes in the network's input format, or N arrays (steps, inputs).
            lengths: (N,) steps to run of each sequence, or None to run all of them.
            trace: whether to return every element-wise result too.
            timeout: seconds to wait for the answer to one packet, as in `Accelerator.run`.

        Raises:
            MismatchError: if the accelerators have come to hold different models or chains.
            EseError: the errors of `Accelerator.run`. All engines finish before the first engine's error is raised.
        """
        self._require_one_model()
        chains = sorted({accelerator.chain for accelerator in self._accelerators})
        if len(chains) > 1:
            raise MismatchError(
                f"the accelerators hold the chains {chains}; one chain is expected: select the same in all of them, or "
                "call run_program"
            )
        sequences, full = sequences_of(inputs, self._accelerators[0].shape.inputs, "inputs")
        steps = lengths_of(lengths, full)

        def run_part(engine: Accelerator, start: int, stop: int) -> RunResult:
            return engine.run(sequences[start:stop], steps[start:stop], trace=trace, timeout=timeout)

        return joined(self._map(steps, run_part))

    def run_program(self, inputs: Inputs, lengths: Any = None, *, trace: bool = False) -> ProgramResult:
        """Run samples like `run_program`, split among the engines by the steps of the program's first input.

        Args:
            inputs: codes of the program's inputs, as in `run_program`.
            lengths: steps to run of each sample, as in `run_program`.
            trace: whether to return every element-wise result of every chain too.

        Raises:
            MismatchError: if the accelerators have come to hold different models.
            EseError: the errors of `run_program`. All engines finish before the first engine's error is raised.
        """
        self._require_one_model()
        values = values_of(self._accelerators[0].program, inputs, lengths)

        def run_part(engine: Accelerator, start: int, stop: int) -> ProgramResult:
            codes = {name: value.codes[start:stop] for name, value in values.items()}
            steps = {name: value.steps[start:stop] for name, value in values.items()}
            return run_program(engine, codes, steps, trace=trace)

        return joined_programs(self._map(next(iter(values.values())).steps, run_part))

    def _require_one_model(self) -> None:
        """Refuse accelerators of several models: their answers would be mixed. A call of `load` can change one."""
        folders = {accelerator.folder.manifest.model: accelerator.folder.path for accelerator in self._accelerators}
        if len(folders) > 1:
            names = " and ".join(str(path) for path in folders.values())
            raise MismatchError(
                f"the accelerators hold different models, of {names}; one is expected: load the same folder into all "
                "of them"
            )

    def _map(self, steps: Lengths, run_part: Callable[[Accelerator, int, int], Part]) -> list[Part]:
        """Call `run_part(accelerator, start, stop)` in parallel on consecutive parts of the samples."""
        for accelerator in self._accelerators:
            accelerator.require_open()
        engines = len(self._accelerators)
        # The part of each engine ends at the first sample with which it has its share of all steps.
        shares = np.cumsum(steps) * engines / max(1, int(steps.sum()))
        ends = [int(np.searchsorted(shares, number + 1 - 1e-9)) + 1 for number in range(engines - 1)]
        bounds = [0, *(min(end, len(steps)) for end in ends), len(steps)]
        futures = [
            self._pool.submit(run_part, accelerator, start, stop)
            for accelerator, (start, stop) in zip(self._accelerators, pairwise(bounds), strict=True)
            if stop > start
        ]
        errors = [future.exception() for future in futures]
        for error in errors:
            if error is not None:
                raise error
        return [future.result() for future in futures]

    def close(self) -> None:
        """Close all accelerators. Closing twice does no harm."""
        self._pool.shutdown()
        for accelerator in self._accelerators:
            accelerator.close()
