# SPDX-License-Identifier: Apache-2.0
"""The public names of ese4ml, each imported when it is first used.

`import ese4ml` itself imports at most NumPy. Names of conversion need the extra `hls`, names of training the extra
`train`. If the extra is not installed, the first use of such a name raises an error that says so.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ese4ml.estimating import estimate as estimate
    from ese_hls.backend import build as build
    from ese_hls.backend import emit as emit
    from ese_hls.build import build_bitstream as build_bitstream
    from ese_hls.build import build_emulated as build_emulated
    from ese_hls.warnings import ConversionWarning as ConversionWarning
    from ese_host.check import check as check
    from ese_host.errors import EseError as EseError
    from ese_host.runtime import Accelerator as Accelerator
    from ese_host.runtime import Engine as Engine
    from ese_host.runtime import EnginePool as EnginePool
    from ese_host.runtime import Session as Session
    from ese_host.runtime import open as open
    from ese_host.runtime import run_program as run_program
    from ese_models.masking import GroupingSchedule as GroupingSchedule
    from ese_models.masking import PruningSchedule as PruningSchedule
    from ese_models.masking import sparsity as sparsity
    from ese_models.networks import Formats as Formats
    from ese_models.networks import load_model as load_model
    from ese_models.networks import strip as strip
    from ese_models.pruning import mask_for as mask_for
    from ese_models.training.own_model import CompressionWarning as CompressionWarning
    from ese_models.training.own_model import compress as compress
    from ese_models.training.own_model import prune as prune
    from ese_models.training.own_model import quantize as quantize

_HOMES = {
    "Accelerator": "ese_host.runtime",
    "CompressionWarning": "ese_models.training.own_model",
    "ConversionWarning": "ese_hls.warnings",
    "Engine": "ese_host.runtime",
    "EnginePool": "ese_host.runtime",
    "EseError": "ese_host.errors",
    "Formats": "ese_models.networks",
    "GroupingSchedule": "ese_models.masking",
    "PruningSchedule": "ese_models.masking",
    "Session": "ese_host.runtime",
    "build": "ese_hls.backend",
    "build_bitstream": "ese_hls.build",
    "build_emulated": "ese_hls.build",
    "check": "ese_host.check",
    "compress": "ese_models.training.own_model",
    "emit": "ese_hls.backend",
    "estimate": "ese4ml.estimating",
    "load_model": "ese_models.networks",
    "mask_for": "ese_models.pruning",
    "open": "ese_host.runtime",
    "prune": "ese_models.training.own_model",
    "quantize": "ese_models.training.own_model",
    "run_program": "ese_host.runtime",
    "sparsity": "ese_models.masking",
    "strip": "ese_models.networks",
}
"""{public name: package that it is imported from}."""

__all__ = sorted(_HOMES)

_RENAMED = {"Engines": "EnginePool"}
"""{old name: new name} of names from release 0.1. The old ones work for one more release, with a warning."""


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used.

    Raises:
        AttributeError: if there is no such name.
        MissingError: if the extra that it needs is not installed.
    """
    if name in _RENAMED:
        warnings.warn(f"ese4ml.{name} is now ese4ml.{_RENAMED[name]}; use the new name", FutureWarning, stacklevel=2)
        return __getattr__(_RENAMED[name])
    if name not in _HOMES:
        raise AttributeError(f"module 'ese4ml' has no attribute {name!r}; it has {', '.join(__all__)}")
    try:
        return getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        from ese_host.extras import extra_of, needs

        extra = extra_of(error.name) or extra_of(_HOMES[name])
        if not extra:
            raise
        raise needs(f"ese4ml.{name}", extra) from error


def __dir__() -> list[str]:
    return __all__
