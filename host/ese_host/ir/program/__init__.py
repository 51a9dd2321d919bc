# SPDX-License-Identifier: Apache-2.0
"""Programs: models that are more than one chain of layers (docs/reference/numerics.md, "Programs").

tensor.py      Tensor: the width, range and length of a tensor, known before a run; Value: its codes in a run
chain.py       a chain of layers, which the engine runs
order.py       steps on the host that move values: Concatenate, Last, Mask, Repeat, Reshape, Reverse, Unmask
arithmetic.py  steps on the host that compute: Affine, Apply, Merge, Quantize, Relu
functions.py   steps on the host that compute any function of one element: Piecewise, Lookup
frames.py      steps on the host that compute from several elements: Pool, Softmax, Standardize
gather.py      steps on the host that pick elements by an index: Embedding, Gather
graph.py       Port, Output, Program
run.py         runs a program, its chains by the golden model or by a given function
"""

from ese_host.ir.program.arithmetic import Affine, Apply, Merge, Quantize, Relu
from ese_host.ir.program.chain import Chain
from ese_host.ir.program.frames import CENTRE_FRAC, Pool, Softmax, Standardize
from ese_host.ir.program.functions import Lookup, Piecewise
from ese_host.ir.program.gather import Embedding, Gather
from ese_host.ir.program.graph import INPUT, OUTPUT, Head, Output, Port, Program, ProgramStep, describe
from ese_host.ir.program.order import (
    Concatenate,
    Fill,
    Last,
    Mask,
    Repeat,
    Reshape,
    Reverse,
    Unmask,
    kept_frames,
    turned,
    unmasked_steps,
)
from ese_host.ir.program.run import HEADS, Inputs, ProgramRun, run, running, values_of
from ese_host.ir.program.tensor import MAX_CODE_BITS, Kind, Tensor, Value

__all__ = [
    "CENTRE_FRAC",
    "HEADS",
    "INPUT",
    "MAX_CODE_BITS",
    "OUTPUT",
    "Affine",
    "Apply",
    "Chain",
    "Concatenate",
    "Embedding",
    "Fill",
    "Gather",
    "Head",
    "Inputs",
    "Kind",
    "Last",
    "Lookup",
    "Mask",
    "Merge",
    "Output",
    "Piecewise",
    "Pool",
    "Port",
    "Program",
    "ProgramRun",
    "ProgramStep",
    "Quantize",
    "Relu",
    "Repeat",
    "Reshape",
    "Reverse",
    "Softmax",
    "Standardize",
    "Tensor",
    "Unmask",
    "Value",
    "describe",
    "kept_frames",
    "run",
    "running",
    "turned",
    "unmasked_steps",
    "values_of",
]
