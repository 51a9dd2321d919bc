"""Programs: models that are more than one chain of layers (docs/numerics.md, "Programs").

tensor.py      what is known of a tensor before a run, and its values in one
chain.py       a chain of layers: the engine's part
order.py       the host's steps that move values: Concatenate, Last, Mask, Repeat, Reshape, Reverse, Unmask
arithmetic.py  the host's steps that compute: Affine, Apply, Merge, Quantize, Relu, Ternary
graph.py       Port, Output, Program
run.py         every tensor of a program; chains by the golden model, or by whatever runs them
"""

from ese_host.ir.program.arithmetic import Affine, Apply, Merge, Quantize, Relu, Ternary
from ese_host.ir.program.chain import Chain
from ese_host.ir.program.graph import INPUT, Head, Output, Port, Program, ProgramStep
from ese_host.ir.program.order import Concatenate, Fill, Last, Mask, Repeat, Reshape, Reverse, Unmask
from ese_host.ir.program.run import Inputs, ProgramRun, run, values_of
from ese_host.ir.program.tensor import Tensor, Value

__all__ = [
    "INPUT",
    "Affine",
    "Apply",
    "Chain",
    "Concatenate",
    "Fill",
    "Head",
    "Inputs",
    "Last",
    "Mask",
    "Merge",
    "Output",
    "Port",
    "Program",
    "ProgramRun",
    "ProgramStep",
    "Quantize",
    "Relu",
    "Repeat",
    "Reshape",
    "Reverse",
    "Tensor",
    "Ternary",
    "Unmask",
    "Value",
    "run",
    "values_of",
]
