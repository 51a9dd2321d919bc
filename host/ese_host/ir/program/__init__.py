"""Programs: models that are more than one chain of layers (docs/numerics.md, "Programs").

tensor.py      Tensor: the width, range and length of a tensor, known before a run; Value: its codes in a run
chain.py       a chain of layers, which the engine runs
order.py       steps on the host that move values: Concatenate, Last, Mask, Repeat, Reshape, Reverse, Unmask
arithmetic.py  steps on the host that compute: Affine, Apply, Merge, Quantize, Relu, Ternary
graph.py       Port, Output, Program
run.py         runs a program, its chains by the golden model or by a given function
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
