# SPDX-License-Identifier: Apache-2.0
"""`import ese4ml` is light and lazy, and says clearly which extra is missing."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import ese4ml
from ese_host.errors import MissingError


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.strip()


def test_it_imports_numpy_at_most() -> None:
    """Only modules of the standard library, NumPy and ese4ml itself may be imported."""
    code = (
        "import sys, sysconfig; before = set(sys.modules); import ese4ml\n"
        "imported = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(*sorted(imported - set(sys.stdlib_module_names) - {'numpy', 'ese4ml'}))"
    )
    assert run(code) == ""
    assert run(code.replace("import ese4ml", "import ese4ml, click")) == "click"  # so this test would notice


@pytest.mark.parametrize(
    "name", ["Accelerator", "Engine", "EnginePool", "EseError", "Session", "check", "estimate", "open", "run_program"]
)
def test_names_of_the_host_are_those_of_their_packages(name: str) -> None:
    assert name in ese4ml.__all__ and name in dir(ese4ml)
    home = importlib.import_module(ese4ml._HOMES[name])
    assert getattr(ese4ml, name) is getattr(home, name)


@pytest.mark.parametrize("name", ese4ml.__all__)
def test_every_name_is_there_or_says_which_extra_it_needs(name: str) -> None:
    try:
        assert callable(getattr(ese4ml, name))
    except MissingError as error:
        assert str(error).startswith(f"ese4ml.{name} needs the '")


def test_a_renamed_name_works_with_a_warning() -> None:
    with pytest.warns(FutureWarning, match=r"^ese4ml\.Engines is now ese4ml\.EnginePool; use the new name$"):
        assert ese4ml.Engines is ese4ml.EnginePool


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module 'ese4ml' has no attribute 'emitt'; it has Accelerator, "):
        ese4ml.emitt  # noqa: B018


@pytest.mark.parametrize(
    ("module", "name", "extra"), [("hls4ml", "emit", "hls"), ("keras", "compress", "train"), ("ese_hls", "emit", "hls")]
)
def test_what_is_missing_is_said(module: str, name: str, extra: str) -> None:
    code = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "import ese4ml\nfrom ese_host.errors import MissingError\n"
        f"try: ese4ml.{name}\nexcept MissingError as error: print(error)"
    )
    assert run(code) == f"ese4ml.{name} needs the '{extra}' extra: pip install 'ese4ml[{extra}]'"
