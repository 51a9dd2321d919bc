# SPDX-License-Identifier: Apache-2.0
"""The self-check of a conversion: Keras and the golden program on the same samples, layer by layer.

Each layer of Keras reads what the golden program computes before it, so that a difference is found in the layer that
causes it, and does not grow from layer to layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ese_hls.frontend import Call
from ese_hls.lower import Conversion, KnownTensor, SplitLayer
from ese_hls.quantize import CheckedTensor, Doubles
from ese_hls.selfcheck import engine_layers, recurrent_layers
from ese_hls.selfcheck.golden_values import GoldenRun, KnownValues, frames_of, golden_run
from ese_hls.selfcheck.host_steps import CheckedStep, interval_of, real
from ese_hls.selfcheck.intervals import FLOAT32, Interval
from ese_hls.selfcheck.keras_run import KerasRun
from ese_hls.selfcheck.split_layers import whole_layer
from ese_host.errors import MismatchError
from ese_host.ir import Codes, Dense, Gru, Lstm, Recurrent, alike
from ese_host.ir.program import HEADS, Chain, Unmask, Value, turned

NARROW = 2.0**-12
"""Width of a recurrent layer's interval up to which what Keras computes at every step need not make it narrower."""
SLACK = 2.0**-40
"""Relative error of the float64 arithmetic of this check itself."""


def check(
    calls: Sequence[Call],
    nodes: Mapping[str, Any],
    conversion: Conversion,
    samples: Mapping[str, Any],
    codes: dict[str, Codes],
) -> tuple[CheckedTensor, ...]:
    """Compare Keras and the golden program on samples.

    Args:
        calls: the calls of the Keras model's layers, in the order of computation.
        nodes: the graph's nodes by name, as the passes left them.
        conversion: the converted model.
        samples: float samples of the model's inputs, by the names of their Keras tensors.
        codes: the same samples as codes, by the names of the program's inputs.

    Returns:
        What was found for each tensor that both compute.

    Raises:
        MismatchError: if a layer differs by more than the formats explain.
    """
    golden = golden_run(conversion, codes)
    known = [(item, frames_of(item, golden)) for item in conversion.known]
    run = KerasRun(calls, samples, {item.keras_tensor: frames for item, frames in known})
    walk = _Comparison(
        golden, dict(nodes), conversion, [pair for pair in known if pair[0].keras_tensor in run.values], run
    )
    return tuple(walk.run())


class _Comparison:
    """Intervals of all tensors of a program, in the order of computation, each compared and then set to its value."""

    def __init__(
        self,
        golden: GoldenRun,
        nodes: dict[str, Any],
        conversion: Conversion,
        known: Sequence[tuple[KnownTensor, KnownValues]],
        keras: KerasRun,
    ) -> None:
        self.golden, self.finished = golden, golden.finished
        self.nodes, self.conversion, self.keras, self.of_keras = nodes, conversion, keras, keras.values
        self.by_layer: dict[str, list[tuple[KnownTensor, KnownValues]]] = {}
        self.by_tensor: dict[str, list[tuple[KnownTensor, KnownValues]]] = {}
        for item, frames in known:
            table, key = (self.by_tensor, item.tensor) if item.layer is None else (self.by_layer, item.layer)
            table.setdefault(key, []).append((item, frames))
        self.maker = {node.outputs[0]: node for node in nodes.values()}
        self.intervals: dict[str, Interval] = {}
        self.of_masked: dict[str, Interval] = {}
        self.found: list[CheckedTensor] = []
        self.deviations: dict[str, dict[str, float]] = {}
        for report in conversion.summary.tensors:
            of_layer = self.deviations.setdefault(report.layer, {})  # a layer that is called twice has two reports
            of_layer[report.tensor] = max(of_layer.get(report.tensor, 0.0), report.deviation)

    def run(self) -> list[CheckedTensor]:
        """Compare every tensor; the first difference that the formats do not explain ends it."""
        for port, program_port in zip(self.conversion.inputs, self.conversion.program.inputs, strict=True):
            value = self.finished.tensors[program_port.name]
            start = Interval.point(real(value))
            self.intervals[program_port.name] = self._from_input(port.name, program_port.name, start)
        splits = {split.target: split for split in self.conversion.splits}
        inner = {name for split in self.conversion.splits for name in split.inner}
        for step in self.golden.program.steps:
            target = self.finished.tensors[step.target]
            if step.target in splits:
                self._split(splits[step.target], step)
                continue
            if step.target in inner:
                continue
            if isinstance(step, Chain):
                self._chain(step)
                continue
            restored = self.of_masked if isinstance(step, Unmask) else {}  # Keras computes these frames from its own
            sources = tuple(restored.get(name, self.intervals[name]) for name in step.sources)
            values = tuple(self.finished.tensors[name] for name in step.sources)
            node = self.maker.get(step.target)
            interval = interval_of(CheckedStep(step, node, sources, values, target))
            if step.target not in self.by_tensor:
                self._check_rounding(step, node, interval, target)
            self.of_masked[step.target] = interval
            self.intervals[step.target] = self._compared(step.target, interval)
        self._heads()
        return self.found

    def _from_input(self, name: str, tensor: str, start: Interval) -> Interval:
        """The interval of an input: between what Keras reads and what the engine reads, unless the model rounds it."""
        raw = np.asarray(self.of_keras[self.conversion.input_tensors[name]], np.float64).reshape(start.low.shape)
        if tensor not in self.by_tensor:
            return start.hull(raw)
        form = next(port.format for port in self.conversion.inputs if port.name == name)
        return self._compared(tensor, Interval.point(raw).rounded(form))

    def _compared(self, tensor: str, interval: Interval) -> Interval:
        for item, frames in self.by_tensor.get(tensor, ()):
            self._compare(item, frames, interval)
            interval = Interval.point(frames.values).in_float32()
        return interval

    def _check_rounding(self, step: Any, node: Any, interval: Interval, target: Value) -> None:
        """Demand that a host operation whose value Keras does not have gives what rounding explains."""
        values = real(target)
        if (place := _first_outside(interval, target.inside, values)) is not None:
            owner = f"layer {node.name!r}" if node is not None else f"tensor {step.target!r}"
            raise MismatchError(
                f"{owner}: at sample {place[0]}, step {place[1]}, element {place[2]} the host operation "
                f"{type(step).__name__} of the converted model gives {values[place]:.9g}; rounding explains "
                f"{interval.low[place]:.9g} to {interval.high[place]:.9g}: this is a fault of the conversion, please "
                "report it"
            )

    def _chain(self, chain: Chain) -> None:
        fed = self.finished.fed[chain.name]
        x = self.intervals[chain.source]
        if chain.backwards:
            x = _turned(x, fed.steps)
        ends = x
        for layer in chain.network.layers:
            node = self.nodes.get(layer.name)
            of_model = node is not None and node.get_attr("tensors") is not None  # else it is an identity layer
            result = self._layer(layer, node, x, fed.steps) if of_model else x
            exact, stored = self.golden.layers[layer.name]
            ends = result
            for item, frames in self.by_layer.get(layer.name, ()):
                ordered = _turned(result, fed.steps) if chain.backwards and result.low.shape[1] > 1 else result
                self._compare(item, frames, ordered)
                result = Interval.point(exact if item.exact else stored).in_float32()
            x = result if layer.output is None else result.hull(stored)
        turns = chain.backwards and chain.network.every_step
        self.of_masked[chain.target], end = (_turned(i, fed.steps) if turns else i for i in (ends, x))
        self.intervals[chain.target] = self._compared(chain.target, end)

    def _split(self, split: SplitLayer, rounding: Any) -> None:
        """Compare a Dense layer that is computed in parts, whose last step rounds the sums of the parts."""
        node, x = self.nodes[split.name], self.intervals[split.source]
        layer = whole_layer(split, self.finished)
        interval = engine_layers.dense(node, layer, x, self.deviations[node.get_attr("tensors").kernel.layer])
        self.of_masked[split.target] = interval
        if node.get_attr("output") is None:
            interval = interval.about_rounded(rounding.format)
        if split.target not in self.by_tensor:
            self._check_rounding(rounding, node, interval, self.finished.tensors[split.target])
        self.intervals[split.target] = self._compared(split.target, interval)

    def _layer(self, layer: Any, node: Any, x: Interval, steps: Any) -> Interval:
        deviations = self.deviations[node.get_attr("tensors").kernel.layer]
        if isinstance(layer, Dense):
            return engine_layers.dense(node, layer, x, deviations)
        cells = recurrent_layers.gru if isinstance(layer, Gru) else recurrent_layers.lstm

        def run(seen: Interval | None) -> Interval:
            count = x.low.shape[1] if layer.return_sequences else 1
            low, high = (np.zeros((len(steps), count, layer.outputs)) for _ in range(2))
            for length, index in alike(steps):
                outputs = None if seen is None else seen[index, :length]
                part = cells(node, layer, x[index, :length], deviations, outputs)
                low[index, : part.low.shape[1]], high[index, : part.high.shape[1]] = part.low, part.high
            return Interval(low, high)

        result = run(None)
        if float((result.high - result.low).max()) <= NARROW:
            return result
        seen = self._seen(layer, node)
        return result if seen is None else run(seen)

    def _seen(self, layer: Recurrent, node: Any) -> Interval | None:
        """The outputs of Keras and of the golden model at every step of a layer, or None if Keras does not tell."""
        name = next(iter(node.get_attr("output_keras_tensor_names")), "")
        known = self.by_layer.get(layer.name)
        keras = None if known is None else self.keras.every_step(name)
        if keras is None or known is None:
            return None
        golden = self.golden.every_step[layer.name]
        projected = isinstance(layer, Lstm) and layer.projection is not None
        if projected and node.get_attr("tensors").state is not None:
            golden = layer.state.to_float(layer.state.from_float(golden))
        frames = KnownValues(golden, None, known[0][1].kept if layer.return_sequences else None)
        return Interval.point(golden).hull(frames.of_keras(keras))

    def _heads(self) -> None:
        """Compare the outputs for which the host computes a function in floating point."""
        for output, name, kind in zip(
            self.conversion.program.outputs, self.conversion.end_tensors, self.conversion.ends, strict=True
        ):
            if output.head == "none" or name not in self.of_keras:
                continue
            value = self.finished.tensors[output.tensor]
            frames = KnownValues(self.finished.values(output.name), value.inside[:, :, 0])
            item = KnownTensor(name, f"layer {kind!r}", output.tensor)
            source = self.intervals[output.tensor]
            result = _softmax(source) if output.head == "softmax" else source.rising(HEADS[output.head])
            self._compare(item, frames, result.widened(16 * FLOAT32))

    def _compare(self, item: KnownTensor, frames: KnownValues, interval: Interval) -> None:
        keras, golden = frames.of_keras(self.of_keras[item.keras_tensor]), frames.values
        if (place := _first_outside(interval, frames.inside[:, :, None], keras, golden)) is not None:
            sample, step, element = place
            where = f"sample {sample}, {f'step {step}, ' if golden.shape[1] > 1 else ''}element {element}"
            low, high = interval.low[place], interval.high[place]
            raise MismatchError(
                f"{item.what}: at {where} Keras computes {keras[place]:.9g} and the converted model "
                f"{golden[place]:.9g}; rounding to the formats explains only {low:.9g} to {high:.9g}. The "
                "layer computes something else than its class, functions and weights say: use layers and functions of "
                "Keras or QKeras that are not changed, or convert without this check by "
                "hls_config['Model']['SelfCheck'] = 0"
            )
        inside = frames.inside[:, :, None]
        difference = float(np.where(inside, np.abs(keras - golden), 0).max(initial=0.0))
        explained = float(np.where(inside, interval.high - interval.low, 0).max(initial=0.0))
        self.found.append(CheckedTensor(item.what, difference, explained))


def _first_outside(interval: Interval, inside: Any, *values: Doubles) -> tuple[int, ...] | None:
    """Sample, step and element of the first value that is not finite or lies outside its interval; None if all do.

    Args:
        interval: the intervals.
        inside: whether a frame is within the steps of its sample.
        values: arrays of values, of which all must lie inside.
    """
    slack = SLACK * (1 + interval.largest)
    low, high = interval.low - slack, interval.high + slack
    wrong = [(low > array) | (array > high) | ~np.isfinite(array) for array in values]
    places = np.argwhere(np.logical_or.reduce(wrong) & inside)
    return tuple(int(index) for index in places[0]) if len(places) else None


def _softmax(x: Interval) -> Interval:
    """The interval of a softmax over the last axis."""
    highest = x.high.max(axis=-1, keepdims=True)
    low, high = np.exp(x.low - highest), np.exp(x.high - highest)
    lows, highs = low.sum(axis=-1, keepdims=True), high.sum(axis=-1, keepdims=True)
    return Interval(low / (low + highs - high), high / (high + lows - low))


def _turned(interval: Interval, steps: Any) -> Interval:
    """The interval with the steps of each sample in reverse order."""
    return Interval(turned(interval.low, steps), turned(interval.high, steps))
