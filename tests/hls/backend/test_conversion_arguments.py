# SPDX-License-Identifier: Apache-2.0
"""Keyword arguments of hls4ml's convert_from_keras_model are used, or refused by name."""

from __future__ import annotations

import math
from typing import Any

import hls4ml
import pytest

from ese_host.errors import UnsupportedError
from support.keras_models.plugin_models import chain, dense


def converted(**arguments: Any) -> Any:
    model = chain(dense(3), shape=(7,))
    config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend="ESE")
    return hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, backend="ESE", output_dir="unused", **arguments
    )


@pytest.mark.parametrize(
    ("arguments", "board", "clock"),
    [
        ({"io_type": "io_parallel"}, "pynq-z2", 100),
        ({"io_type": "io_stream", "clock_period": 8}, "pynq-z2", 125),
        ({"part": "xc7z020clg400-1", "clock_period": 10.0}, "pynq-z2", 100),
        ({"board": "zcu104", "namespace": None, "write_tar": False, "bit_exact": True}, "zcu104", 250),
        ({"project_name": "mine"}, "pynq-z2", 100),
    ],
)
def test_taken(arguments: dict[str, Any], board: str, clock: int) -> None:
    conversion = converted(**arguments).ese_conversion
    assert (conversion.options.board, conversion.mapping.design.clock_mhz) == (board, clock)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"io_type": "io_fast"}, "io_type is 'io_fast'; 'io_stream' and 'io_parallel' are allowed"),
        (
            {"part": "xcu250-figd2104-2L-e"},
            "part is 'xcu250-figd2104-2L-e'; board 'pynq-z2' has 'xc7z020clg400-1': leave part out, or name its board",
        ),
        *(
            (
                {"clock_period": period},
                f"clock_period is {period!r}; a number of nanoseconds from 1 to 1000 is allowed: leave it out for the "
                "board's own",
            )
            for period in (0, -5, "10", math.inf, math.nan, 1e-300, 5000)
        ),
        (
            {"clock_uncertainty": "12.5%"},
            "clock_uncertainty is '12.5%'; backend ESE takes board, part, clock_period, io_type, files, strict, "
            "calibration, test, classes and scaling: leave it out",
        ),
        (
            {"input_data_tb": "x.npy"},
            "input_data_tb is 'x.npy'; the test bench has vectors of its own, with the golden model's answers: leave "
            "it out",
        ),
    ],
)
def test_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        converted(**arguments)
    assert str(caught.value) == message
