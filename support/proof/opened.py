# SPDX-License-Identifier: Apache-2.0
"""The inside of a component, which a proof may look at."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from amaranth.hdl import Module
from amaranth.lib.memory import Memory


def opened(component: Any) -> dict[str, Any]:
    """Elaborate a component at once, and return the local variables of its `elaborate` by their names.

    Those of its other methods are there as well, unless one before has the same name. Those of a part of the component
    have the part's name and a dot in front. The component can be used as a submodule afterwards, once; its memories can
    get another port until then.
    """
    inside: dict[str, Any] = {}
    kind: Any = type(component)
    methods = {method.__code__ for method in vars(kind).values() if hasattr(method, "__code__")}

    def watch(frame: FrameType, event: str, _argument: Any) -> None:
        if event == "return" and frame.f_code in methods and frame.f_locals.get("self") is component:
            own = frame.f_code is kind.elaborate.__code__
            inside.update(frame.f_locals if own else {**frame.f_locals, **inside})

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        module: Module = component.elaborate(None)
    finally:
        sys.setprofile(before)
    component.elaborate = lambda _platform: module
    for name, (part, _) in module._named_submodules.items():
        if hasattr(part, "signature") and not isinstance(part, Memory):
            inside |= {f"{name}.{inner}": value for inner, value in opened(part).items()}
    return inside
