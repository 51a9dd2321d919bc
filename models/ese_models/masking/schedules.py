# SPDX-License-Identifier: Apache-2.0
"""Keras callbacks that prune a model, or choose the groups of its ternary weights, while `fit` trains it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from ese_host.errors import UnsupportedError
from ese_models.masking.plan import MaskPlan, kept_share, masks_for, masks_from_dense
from ese_models.masking.pruner import Pruner
from ese_models.masking.regrouping import LEARNED, Regrouping, finish
from ese_models.masking.rows import interleaves
from ese_models.networks import masks_on, prunable, put_masks
from ese_models.pruning import SCHEDULES, Schedule


class StepShare(keras.callbacks.Callback):  # type: ignore[misc,unused-ignore]
    """Callback that calls a function before each training step with the share of all steps that are done.

    Where `fit` does not know the number of steps in an epoch, such as for a generator in its first epoch, the epoch
    counts as done at its end only.
    """

    def __init__(self) -> None:
        super().__init__()
        self.before_step: Callable[[float], None] = lambda _done: None
        self._epoch, self._steps = 0, 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras passes it
        """Note which epoch begins."""
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras passes it
        """Call the function."""
        steps = self.params.get("steps") or self._steps
        inside = min(1.0, batch / steps) if steps else 0.0
        self.before_step((self._epoch + inside) / self.params["epochs"])

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras passes it
        """Count the steps of an epoch."""
        self._steps = max(self._steps, batch + 1)


class PruningSchedule(StepShare):
    """Callback that prunes a model in rounds while `fit` trains it.

    Kernels get masks if they have none. After `fit`, the model keeps the plan's density, and its masks are saved with
    it.

    Args:
        plan: how many weights are kept, and which; by default the values of `MaskPlan`.
        schedule: by which the density falls from 1, "cubic" (Zhu and Gupta, 1710.01878, equation 1) or "geometric".
        finished: share of the training steps at which the plan's density is reached, above 0, at most 1.
        rounds: number of times that masks are chosen until then.
        changes: values of `MaskPlan` by name, in place of those of `plan`.

    Raises:
        UnsupportedError: if a value is not allowed.

    >>> PruningSchedule(density=0.2, pes=4).plan.density
    0.2
    """

    def __init__(
        self,
        plan: MaskPlan | None = None,
        *,
        schedule: Schedule = "cubic",
        finished: float = 0.6,
        rounds: int = 40,
        **changes: Any,
    ) -> None:
        super().__init__()
        self.plan = plan_from(plan, changes)
        if schedule not in SCHEDULES:
            raise UnsupportedError(f"schedule is {schedule!r}; allowed: {', '.join(SCHEDULES)}")
        check_rounds(finished, rounds)
        self._schedule, self._finished, self._rounds = schedule, finished, rounds

    def set_model(self, model: Any) -> None:
        """Put masks on the kernels of the model that will be trained; `fit` calls this."""
        super().set_model(model)
        plan = self.plan
        put_masks(model, masks_on(model), plan.goal)
        start = max(plan.density, kept_share(masks_on(model)))  # a pruned model goes on from its density
        rows = interleaves(model, plan.pes)
        pruner = Pruner(
            {name: kernel.variable for name, kernel in prunable(model).items()},
            lambda weights, density: masks_from_dense(weights, rows, plan, density),
        )
        self.before_step = pruner.gradual(self._schedule, plan.density, self._finished, self._rounds, start)

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002 - Keras passes it
        """Do the last round, if there were fewer steps than rounds."""
        self.before_step(1.0)


class GroupingSchedule(StepShare):
    """Callback that lets a model of TWN or TTQ weights learn which of them are zero, while `fit` trains it.

    The masks are chosen again from the latent weights until the share `finished` of the steps, then fixed. Models of
    other weights need no such callback, and a codebook only to have its shared values written into the kernels.

    Args:
        plan: how many weights are kept, and which; by default the values of `MaskPlan`.
        finished: share of the training steps at which the grouping is fixed, above 0, at most 1.
        rounds: number of times that masks are chosen until then.
        changes: values of `MaskPlan` by name, in place of those of `plan`.

    Raises:
        UnsupportedError: if a value is not allowed.
    """

    def __init__(
        self, plan: MaskPlan | None = None, *, finished: float = 0.6, rounds: int = 40, **changes: Any
    ) -> None:
        super().__init__()
        self.plan = plan_from(plan, changes)
        check_rounds(finished, rounds)
        self._finished, self._rounds = finished, rounds

    def set_model(self, model: Any) -> None:
        """Find the quantizers of the model that will be trained; `fit` calls this."""
        super().set_model(model)
        plan, kernels = self.plan, prunable(model)
        variables = {name: kernel.variable for name, kernel in kernels.items()}
        self._variables, rows = variables, interleaves(model, plan.pes)
        self._quantizers = {name: kernel.quantizer for name, kernel in kernels.items() if kernel.quantizer is not None}
        groups = Regrouping(
            variables,
            self._quantizers if plan.weights in LEARNED else {},
            lambda weights: masks_for(weights, rows, plan, plan.density, plan.family),
        )
        self.before_step = groups.until(self._finished, self._rounds)

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002 - Keras passes it
        """Fix the grouping, and make the kernels agree with their codes."""
        self.before_step(1.0)
        finish(self._variables, self._quantizers)


def plan_from(plan: MaskPlan | None, changes: dict[str, Any]) -> MaskPlan:
    """A plan with some of its values changed.

    Raises:
        UnsupportedError: if a plan has no such value, or it is not allowed.
    """
    known = MaskPlan.__dataclass_fields__
    for name in changes:
        if name not in known:
            raise UnsupportedError(f"there is no option {name!r}; the options of masks are {', '.join(known)}")
    values = {} if plan is None else {name: getattr(plan, name) for name in known}
    return MaskPlan(**{**values, **changes})


def check_rounds(finished: float, rounds: int) -> None:
    """Refuse a share of the steps, or a number of rounds, that is not allowed."""
    if not 0 < finished <= 1 or rounds < 1:
        raise UnsupportedError(
            f"the last of {rounds} rounds is due at {finished} of the steps; at least one round, and a share above 0, "
            "at most 1, are needed"
        )
