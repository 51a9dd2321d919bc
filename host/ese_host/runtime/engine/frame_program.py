# SPDX-License-Identifier: Apache-2.0
"""Programs that run frame by frame: each frame as a sample of one step, with the engine's state kept between them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ese_host.errors import UnsupportedError
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
    Piecewise,
    Pool,
    Program,
    ProgramStep,
    Quantize,
    Relu,
    Repeat,
    Reshape,
    Reverse,
    Softmax,
    Standardize,
    Unmask,
    describe,
)

FRAMEWISE = (Affine, Apply, Concatenate, Last, Lookup, Merge, Piecewise, Quantize, Relu, Softmax, Standardize)
"""Steps that compute from a frame by itself. The last frame of all that have come so far is the frame itself."""
REASONS: dict[type, str] = {
    Mask: "leaves frames out, so that not every frame has an output",
    Unmask: "fills frames that were left out",
    Reverse: "reverses the frames, and so begins with the last one",
    Pool: "reads several frames at once",
    Repeat: "makes a sequence of one frame",
    Reshape: "makes other frames of all frames together",
    Gather: "moves elements between frames",
    Embedding: "makes several frames of one",
}
WAY_OUT = "run whole sequences with predict"


def frame_program(program: Program) -> tuple[Program, Chain]:
    """The program of single frames, in which every sample is a sequence of one step, and its only chain.

    Raises:
        UnsupportedError: if the program needs more than a frame and the engine's state; the message names the step.
    """
    if len(program.inputs) > 1:
        names = ", ".join(port.name for port in program.inputs)
        raise UnsupportedError(f"the model has the inputs {names}; a session feeds a single input: {WAY_OUT}")
    steps = tuple(part for step in program.steps for part in _for_frames(program, step))
    if len(program.chains) > 1:
        names = " and ".join(describe(chain) for chain in program.chains)
        raise UnsupportedError(
            f"the model has several chains, {names}; loading the image of one clears the state that the other left, so "
            f"that a session can have only one: {WAY_OUT}"
        )
    port = program.inputs[0]
    ports = (port if port.kind == "vector" else replace(port, steps=None),)
    return Program(ports, steps, program.outputs), program.chains[0]


def _for_frames(program: Program, step: ProgramStep) -> tuple[ProgramStep, ...]:
    """The steps that do for single frames what a step does; mostly the step itself.

    Raises:
        UnsupportedError: if the step needs several frames.
    """
    if isinstance(step, Gather) and step.scope == "vector" and len(step.sources) == 1:
        source = program.tensors[step.sources[0]]
        first = (source.steps or 1) * source.width - source.width  # element of the last frame
        if source.kind == "sequence" and ((step.index < 0) | (step.index >= first)).all():
            last = Last(step.sources[0], f"{step.target}: last frame")
            return last, replace(step, sources=(last.target,), index=np.where(step.index < 0, -1, step.index - first))
    reason = _reason(program, step)
    if reason is not None:
        raise UnsupportedError(f"step {describe(step)} {reason}, which a session cannot do: {WAY_OUT}")
    return (step,)


def _reason(program: Program, step: ProgramStep) -> str | None:
    """Why a step cannot run frame by frame, or None if it can."""
    if isinstance(step, Chain):
        return "runs backwards, from the last frame to the first" if step.backwards else None
    vectors = all(program.tensors[name].kind == "vector" for name in step.sources)
    target = program.tensors[step.target]
    if isinstance(step, FRAMEWISE):
        return None
    if isinstance(step, Gather) and (step.scope == "frame" or (vectors and target.kind == "vector")):
        return None
    if isinstance(step, Reshape) and vectors and target.steps == 1:
        return None
    if isinstance(step, Embedding) and not vectors and program.tensors[step.source].width == 1:
        return None
    return REASONS[type(step)]
