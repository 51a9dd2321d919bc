"""Why tests of hls4ml's that fail with backend ESE do, as found by reading them; benchmarks/own_tests.py shows it."""

from __future__ import annotations

import re

FUSED = "values agree; then the test counts hls4ml's nodes, and a ReLU is part of the Dense node before it here"
BITS = "inputs and weights have 16 bits here; the test asks for 1e-5 of fixed<32,5>"
READER = "hls4ml's reader stops before the backend is asked"
CAUSES: tuple[tuple[str, str, str, str], ...] = (
    ("test_keras_v3_api.py", "test_activations", r"assert \(2 \+ 1\) == 2", FUSED),
    ("test_keras_api.py", "test_activations", r"assert \(2 \+ 1\) == 2", FUSED),
    ("test_multiout_network.py", "test_multi_output_nn", "assert False", BITS),
    ("test_qkeras.py", "test_qgru", "must be built", READER),
    ("test_qkeras.py", "test_qlstm", "must be built", READER),
    *(
        ("test_time_distributed.py", f"test_time_distributed_{what}", "IsolatedLayerReader", READER)
        for what in ("layer", "layer_lstm", "model")
    ),
)
"""File, function, pattern of the message, cause."""


def cause_of(file: str, function: str, message: str) -> str:
    """The known cause of a result beside its message; empty for none."""
    for in_file, in_function, pattern, cause in CAUSES:
        if (in_file, in_function) == (file, function) and re.search(pattern, message):
            return f"{message}: {cause}"
    return ""
