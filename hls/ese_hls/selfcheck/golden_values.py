# SPDX-License-Identifier: Apache-2.0
"""Values of the golden program for the tensors of the Keras model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ese_hls.lower import Conversion, KnownTensor
from ese_hls.quantize import Doubles
from ese_hls.selfcheck.host_steps import real
from ese_host.ir import Codes, Layer, Network, Recurrent, alike, golden
from ese_host.ir.program import Chain, Program, ProgramRun, Value, kept_frames, run, turned, unmasked_steps


@dataclass(frozen=True, eq=False)
class KnownValues:
    """Values of a tensor in the steps that the golden program computes.

    Attributes:
        values: (N, T, width) real values.
        inside: (N, T) whether a step belongs to its sample.
        kept: (N, all steps) which steps of Keras's sequences these are, or None if they are all.
    """

    values: Doubles
    inside: Any
    kept: Any = None

    def of_keras(self, values: Any) -> Doubles:
        """Keras's values of the same tensor, (N, *shape), in the shape and order of `self.values`."""
        samples, steps, width = self.values.shape
        array = np.asarray(values, np.float64).reshape(samples, -1, width)
        if self.kept is None:
            return array
        return kept_frames(array, self.kept, steps)

    def into_keras(self, values: Any) -> Any:
        """Keras's values with those of the golden program in their place, in Keras's shape, as float32."""
        given = np.asarray(values)
        result = np.array(given, np.float32).reshape(len(given), -1, self.values.shape[2])
        if self.kept is None:
            result[:, : self.values.shape[1]][self.inside] = self.values[self.inside]
        else:
            result[self.kept] = self.values[self.inside]
        return result.reshape(given.shape)


@dataclass(eq=False)
class GoldenRun:
    """A run of the golden program, with the results of every layer.

    Attributes:
        program: the program without thresholds of delta networks, which Keras does not have.
        finished: its run.
        layers: for each layer, the exact and the stored values (N, T, width), in the order of feeding.
        every_step: for each recurrent layer, its exact output at every step, also if it hands on only the last.
    """

    program: Program
    finished: ProgramRun
    layers: dict[str, tuple[Doubles, Doubles]]
    every_step: dict[str, Doubles]


def golden_run(conversion: Conversion, codes: dict[str, Codes]) -> GoldenRun:
    """Run a converted model by the golden model, and keep what every layer computes."""
    program = _without_thresholds(conversion.program)
    layers: dict[str, tuple[Doubles, Doubles]] = {}
    all_steps: dict[str, Doubles] = {}

    def execute(chain: Chain, fed: Value) -> Codes:
        network, samples, steps = chain.network, *fed.codes.shape[:2]
        for count, layer in enumerate(network.layers, 1):
            every = steps if Network(network.layers[:count], network.source).every_step else 1
            if isinstance(layer, Recurrent):
                all_steps[layer.name] = np.zeros((samples, steps, layer.outputs))
            layers[layer.name] = (np.zeros((samples, every, layer.outputs)), np.zeros((samples, every, layer.outputs)))
        outputs = np.zeros((samples, steps if network.every_step else 1, network.outputs), np.int64)
        for length, index in alike(fed.steps):
            results = golden.run(network, fed.codes[index, :length])
            outputs[index, : results.outputs.shape[1]] = results.outputs
            for result in results.layers:
                exact = result.exact[:, -result.output.shape[1] :]
                if result.name in all_steps:
                    whole = np.ldexp(result.exact.astype(np.float64), -result.exact_frac)
                    all_steps[result.name][index, : whole.shape[1]] = whole
                for array, part, frac in zip(
                    layers[result.name], (exact, result.output), (result.exact_frac, result.output_frac), strict=True
                ):
                    array[index, : part.shape[1]] = np.ldexp(part.astype(np.float64), -frac)
        return outputs

    return GoldenRun(program, run(program, codes, execute=execute), layers, all_steps)


def _without_thresholds(program: Program) -> Program:
    def plain(layer: Layer) -> Layer:
        return replace(layer, delta_input=None, delta_state=None) if isinstance(layer, Recurrent) else layer

    steps = tuple(
        replace(step, network=replace(step.network, layers=tuple(map(plain, step.network.layers))))
        if isinstance(step, Chain)
        else step
        for step in program.steps
    )
    return replace(program, steps=steps)


def frames_of(known: KnownTensor, golden_values: GoldenRun) -> KnownValues:
    """The golden program's values of a tensor of the Keras model."""
    finished = golden_values.finished
    kept = None
    if known.masked is not None:
        kept = unmasked_steps(finished.tensors[known.masked.original], known.masked.code)
    if known.layer is None:
        value = finished.tensors[known.tensor]
        return KnownValues(real(value), value.inside[:, :, 0], kept)
    chain = next(c for c in finished.program.chains if any(x.name == known.layer for x in c.network.layers))
    fed = finished.fed[chain.name]
    values = golden_values.layers[known.layer][0 if known.exact else 1]
    steps = fed.steps if values.shape[1] > 1 or fed.codes.shape[1] == 1 else np.ones_like(fed.steps)
    inside = np.arange(values.shape[1]) < steps[:, None]
    if chain.backwards and values.shape[1] > 1:
        values = turned(values, steps)
    return KnownValues(values, inside, kept)
