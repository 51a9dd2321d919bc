# SPDX-License-Identifier: Apache-2.0
"""Keras's values of every tensor of a model, each layer reading what the golden program computes before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ese_hls.frontend import Call
from ese_hls.selfcheck.golden_values import KnownValues


class KerasRun:
    """A run of a Keras model on samples.

    Attributes:
        values: Keras's value of every tensor by name.
    """

    def __init__(self, calls: Sequence[Call], samples: Mapping[str, Any], known: Mapping[str, KnownValues]) -> None:
        """Run the model.

        Args:
            calls: the calls of its layers, in the order of computation.
            samples: values of its inputs by the names of their tensors.
            known: the golden program's values, by the name of Keras's tensor; layers behind it read them.
        """
        self.values: dict[str, Any] = dict(samples)
        self._read: dict[str, Any] = dict(samples)
        self._makers: dict[str, Call] = {}
        for call in calls:
            if not call.inputs:
                continue
            for name, value in call.compute(self._read).items():
                self.values[name] = value
                self._read[name] = known[name].into_keras(value) if name in known else value
                self._makers[name] = call

    def every_step(self, name: str) -> Any:
        """The outputs of the recurrent layer that computes a tensor at every step, or None if Keras does not tell.

        A layer that hands on only its last output is called again, and then hands on all.
        """
        call = self._makers.get(name)
        layer = getattr(call, "layer", None)
        returns = getattr(layer, "return_sequences", None)
        if call is None or layer is None or returns is None or (call.masked and not returns):
            return None
        if returns:
            return self.values[name]
        layer.return_sequences = True
        try:
            return call.compute(self._read)[name]
        finally:
            layer.return_sequences = False
