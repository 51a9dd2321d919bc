# SPDX-License-Identifier: Apache-2.0
"""What TensorFlow prints while it starts is held back, unless the start fails; a stand-in prints it."""

from __future__ import annotations

import logging
import os
import sys
from types import SimpleNamespace
from typing import Any

import click
import pytest

from ese_host.errors import FormatError
from ese_host.tensorflow_startup import quiet_tensorflow

LINE = "computation placer already registered\n"


def print_as_tensorflow_does() -> None:
    """Write past Python, as C++ does, and by Python's own streams."""
    os.write(2, LINE.encode())
    click.echo("a package's greeting")


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module in the place of TensorFlow, and an environment that is restored."""

    def function(_: Any, jit_compile: bool) -> Any:
        return print_as_tensorflow_does

    module = SimpleNamespace(__version__="2.0", get_logger=lambda: logging.getLogger("stand-in"), function=function)
    monkeypatch.setitem(sys.modules, "tensorflow", module)
    for name in ("TF_CPP_MIN_LOG_LEVEL", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.setenv(name, os.environ.get(name, ""))


def test_messages_are_held_back_and_logged(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), quiet_tensorflow():
        print_as_tensorflow_does()
    click.echo("a result")
    click.echo("a note", err=True)
    assert capfd.readouterr() == ("a result\n", "a note\n")
    first, last = (record.getMessage() for record in caplog.records)
    assert first == "TensorFlow 2.0" and last.count(LINE) == last.count("a package's greeting\n") == 2


def test_a_failing_import_shows_them(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ImportError, match="no symbol"), quiet_tensorflow():
        raise ImportError("no symbol")
    out, err = capfd.readouterr()
    assert out == "" and LINE in err


@pytest.mark.parametrize("error", [FormatError("no model"), KeyboardInterrupt()])
def test_a_refusal_and_an_interrupt_do_not(capfd: pytest.CaptureFixture[str], error: BaseException) -> None:
    with pytest.raises(type(error)), quiet_tensorflow():
        raise error
    assert capfd.readouterr() == ("", "")
