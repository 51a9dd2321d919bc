# SPDX-License-Identifier: Apache-2.0
"""Components with a fault: what a wrong line of the RTL would do, for proofs that must then fail."""

from __future__ import annotations

import inspect
import sys
from types import ModuleType
from typing import Any


def mutated(component: type, *changes: tuple[str, str]) -> Any:
    """The class of a component, made from its source with lines changed.

    Args:
        component: the class.
        changes: pieces of its module's source that stand there exactly once, and what stands there instead.
    """
    right = sys.modules[component.__module__]
    source = inspect.getsource(right)
    for line, wrong in changes:
        assert source.count(line) == 1, f"{line!r} stands {source.count(line)} times in {component.__module__}"
        source = source.replace(line, wrong)
    module = ModuleType(component.__module__)
    exec(compile(source, str(right.__file__), "exec", dont_inherit=True), module.__dict__)  # noqa: S102
    return module.__dict__[component.__name__]
