# SPDX-License-Identifier: Apache-2.0
"""Programs for tests: random ones, with steps of every kind but Mask and Unmask, and fixed ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import numpy as np

from ese_host.errors import EseError
from ese_host.ir import Activation, Codes, Fixed, Network
from ese_host.ir.program import (
    Affine,
    Apply,
    Chain,
    Concatenate,
    Embedding,
    Gather,
    Last,
    Lookup,
    Mask,
    Merge,
    Output,
    Piecewise,
    Pool,
    Port,
    Program,
    ProgramStep,
    Quantize,
    Relu,
    Repeat,
    Reshape,
    Reverse,
    Softmax,
    Standardize,
    Tensor,
)
from ese_host.ir.program.frames import PoolKind, Subtract
from ese_host.ir.program.gather import Scope
from support.networks import HARD8, SMOOTH8, Rng, Spec, network

SOURCE = Fixed(16, 2)
ACTIVATIONS = (*HARD8, *SMOOTH8, Activation("tanh", Fixed(12, 3)), Activation("sigmoid", Fixed(16, 0, False)))
SUBTRACT = get_args(Subtract)
POOLS = get_args(PoolKind)
SCOPES = get_args(Scope)
MERGES = ("add", "subtract", "multiply", "maximum", "minimum", "average")


def single(net: Network) -> Program:
    """A program of one chain, the network itself."""
    ports = (Port("x", net.inputs, net.source),)
    return Program(ports, (Chain("all", net, "x", "y"),), (Output("y", "y"),))


def bidirectional(rng: Rng, inputs: int = 5, units: int = 6, classes: int = 3) -> Program:
    """A bidirectional LSTM that returns sequences, one that returns the last step, and a Dense layer: five images.

    Args:
        rng: source of random weights.
        inputs: width of the input.
        units: cells of each direction of the first LSTM; the second one has one less.
        classes: outputs of the Dense layer.
    """
    spec = Spec(inputs=inputs, units=(units,), outputs=0, sequences=True)
    second = Spec(inputs=2 * units, units=(units - 1,), outputs=0)
    last = Spec(inputs=2 * (units - 1), units=(), outputs=classes)
    steps: list[ProgramStep] = []
    for name, source, like in (("one", "x", spec), ("two", "one", second)):
        parts = (f"{name}_forward", f"{name}_backward")
        for part in parts:
            steps.append(Chain(part, network(rng, like), source, part, backwards=part == parts[1]))
        steps += [Concatenate(parts, f"{name}_wide"), Quantize(f"{name}_wide", name, SOURCE)]
    steps.append(Chain("classes", network(rng, last), "two", "logits"))
    return Program((Port("x", inputs, SOURCE),), tuple(steps), (Output("logits", "classes", "softmax"),))


def two_inputs(rng: Rng) -> Program:
    """A program of two inputs, a masked sequence and a vector, joined before Dense layers, and of two outputs."""
    recurrent = network(rng, Spec(inputs=3, units=(5,), outputs=0, sequences=True))
    hidden = network(rng, Spec(inputs=14, units=(), hidden=(4,), outputs=0))
    last = network(rng, Spec(inputs=4, units=(), outputs=1, density=1.0))
    last = Network((replace(last.layers[0], bias=np.zeros(1, np.int64)),), SOURCE)
    scale, offset = rng.integers(-900, 900, (2, 5))
    steps: tuple[ProgramStep, ...] = (
        Mask("x", "kept", 0),
        Chain("recurrent", recurrent, "kept", "h"),
        Affine("h", "scaled", scale, 9, offset, 9),
        Apply("scaled", "smooth", Activation("tanh", Fixed(16, 2))),
        Reverse("smooth", "backwards"),
        Merge("average", ("smooth", "backwards"), "sequence"),
        Last("smooth", "vector"),
        Quantize("v", "wide", SOURCE),
        Repeat("wide", "twice", 2),
        Reshape("twice", "flat", None, 6),
        Relu("wide", "positive"),
        Reshape("vector", "frames", 5, 1),
        Reshape("frames", "again", None, 5),
        Concatenate(("again", "flat", "positive"), "joined"),
        Quantize("joined", "read", SOURCE),
        Chain("hidden", hidden, "read", "activations"),
        Quantize("activations", "next", SOURCE),
        Chain("last", last, "next", "logit"),
    )
    ports = (Port("x", 3, SOURCE), Port("v", 3, Fixed(6, 3), "vector"))
    return Program(ports, steps, (Output("logit", "class", "sigmoid"), Output("sequence", "states", "tanh")))


def random_program(rng: Rng, tries: int = 12) -> Program:
    """A random program of up to three inputs; steps are drawn `tries` times and kept if the tensors' shapes allow."""
    steps_of_all = None if rng.integers(2) else int(rng.integers(1, 5))
    width = int(rng.integers(1, 4))
    ports = [Port("x0", width, SOURCE, "sequence", steps_of_all)]
    if rng.integers(2):
        ports.append(Port("x1", width, Fixed(8, 3, bool(rng.integers(2))), "sequence", steps_of_all))
    if rng.integers(2):
        ports.append(Port("v", 2, Fixed(6, 3), "vector"))
    known = {port.name: port.tensor for port in ports}
    steps: list[ProgramStep] = []

    def add(step: ProgramStep) -> bool:
        if len({known[name].steps is None for name in step.sources}) > 1:
            return False  # would fit only samples that happen to have that many steps
        try:
            known[step.target] = step.infer(*(known[name] for name in step.sources))
        except EseError:
            return False
        steps.append(step)
        return True

    for number in range(tries):
        names = list(known)
        source, other = str(rng.choice(names[-3:])), str(rng.choice(names))
        if rng.integers(4) == 0 or (number == tries - 1 and not any(isinstance(step, Chain) for step in steps)):
            _add_chain(rng, number, source, known[source], add)
        elif rng.integers(12) == 0:
            rows = rng.integers(-999, 999, (8, int(rng.integers(1, 4))))
            if add(Quantize(source, f"n{number}", Fixed(3, 3, signed=False))):
                add(Embedding(f"n{number}", f"t{number}", rows, int(rng.integers(0, 12))))
        else:
            add(_glue(rng, source, other, f"t{number}", known[source]))
    if not any(isinstance(step, Chain) for step in steps):
        _add_chain(rng, tries, "x0", known["x0"], add)
    return Program(tuple(ports), tuple(steps), (Output(steps[-1].target, "out"), Output(steps[0].target, "first")))


def _add_chain(rng: Rng, number: int, source: str, tensor: Tensor, add: Callable[[ProgramStep], bool]) -> None:
    units = (int(rng.integers(2, 4)),) if tensor.kind == "sequence" and rng.integers(4) else ()
    spec = Spec(
        inputs=tensor.width, units=units, outputs=int(rng.integers(not units, 3)), sequences=bool(rng.integers(2))
    )
    if add(Quantize(source, f"q{number}", SOURCE)):
        net, backwards = network(rng, spec), bool(rng.integers(2))
        assert add(Chain(f"chain{number}", net, f"q{number}", f"c{number}", backwards))


def _glue(rng: Rng, source: str, other: str, target: str, tensor: Tensor) -> ProgramStep:
    pick = int(rng.integers(16))
    width, steps = tensor.width, tensor.steps or 2
    if pick == 0:
        return Concatenate((source, other), target)
    if pick <= 2:
        return Merge(MERGES[rng.integers(len(MERGES))], (source, other), target)  # type: ignore[arg-type]
    if pick == 3:
        scale, offset = rng.integers(-300, 300, (2, width))
        return Affine(source, target, scale, int(rng.integers(0, 12)), offset, int(rng.integers(0, 20)))
    if pick == 4:
        return Apply(source, target, ACTIVATIONS[rng.integers(len(ACTIVATIONS))])
    if pick == 5:
        return Quantize(
            source, target, Fixed(int(rng.integers(2, 17)), int(rng.integers(-2, 9)), bool(rng.integers(2)))
        )
    if pick == 6:
        return Reshape(source, target, *((None, steps * width) if rng.integers(2) else (width, steps)))
    choices: list[ProgramStep] = [
        Relu(source, target),
        Last(source, target),
        Reverse(source, target),
        Repeat(source, target, 3),
        _piecewise(rng, source, target, tensor),
        _table(rng, source, target, tensor),
        Softmax(source, target),
        Standardize(source, target, int(rng.integers(0, 1 << 20)), SUBTRACT[rng.integers(3)]),
        _pool(rng, source, target, tensor),
        _gather(rng, (source, other)[: rng.integers(1, 3)], target, width * steps),
    ]
    return choices[pick - 7]


def _pool(rng: Rng, source: str, target: str, tensor: Tensor) -> Pool:
    """Windows of any kind; if lengths vary, those that keep each sample's length or make a vector."""
    size = None if rng.integers(3) == 0 else int(rng.integers(1, 4))
    same = tensor.steps is None or bool(rng.integers(2))
    return Pool(
        source, target, POOLS[rng.integers(3)], size, 1 if tensor.steps is None else int(rng.integers(1, 4)), same
    )


def _gather(rng: Rng, sources: tuple[str, ...], target: str, elements: int) -> Gather:
    scope = SCOPES[rng.integers(3)]
    steps = int(rng.integers(1, 4)) if scope == "sequence" else 1
    return Gather(sources, target, rng.integers(-1, min(elements, 5), (steps, int(rng.integers(1, 5)))), scope)


def _piecewise(rng: Rng, source: str, target: str, tensor: Tensor) -> Piecewise:
    """Up to four pieces, the same for all elements or others for each, with bounds within the codes of the source."""
    shape = int(rng.integers(1, 5)), tensor.width if rng.integers(2) else 1
    bounds = np.sort(rng.integers(tensor.low, tensor.high + 2, (shape[0] - 1, shape[1])), axis=0)
    slopes, offsets = (rng.integers(-200, 200, shape) * rng.integers(0, 2, shape) for _ in range(2))
    return Piecewise(source, target, bounds, slopes, int(rng.integers(-2, 9)), offsets, int(rng.integers(-2, 9)))


def _table(rng: Rng, source: str, target: str, tensor: Tensor) -> Lookup:
    """A table for the codes of the source, or, if these are too many, one that does not fit."""
    first = tensor.low - int(rng.integers(3))
    entries = min(tensor.high - first + int(rng.integers(1, 3)), 1 << 16)
    return Lookup(source, target, first, rng.integers(-999, 999, entries), int(rng.integers(-2, 12)))


def program_inputs(rng: Rng, program: Program, samples: int, longest: int = 4) -> tuple[dict[str, Codes], Codes]:
    """Random inputs of a program: codes of each input by name, and (samples,) steps.

    Args:
        rng: source of random numbers.
        program: gives formats and widths of the inputs, whose whole range of codes is used.
        samples: number of samples.
        longest: most steps of a sequence, if the program does not fix them.
    """
    fixed = next((port.steps for port in program.inputs if port.steps is not None), None)
    steps = rng.integers(1, longest + 1, samples) if fixed is None else np.full(samples, fixed)
    inputs: dict[str, Codes] = {}
    for port in program.inputs:
        frames = 1 if port.kind == "vector" else int(steps.max())
        inputs[port.name] = rng.integers(port.format.low, port.format.high + 1, (samples, frames, port.width))
    return inputs, steps.astype(np.int64)
