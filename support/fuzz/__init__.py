# SPDX-License-Identifier: Apache-2.0
"""The fuzzer: damaged design folders, failing boards and hostile images, each case named by a mutator and a seed.

Every case must end refused, by one of this project's errors, or exact. `python -m support.fuzz CASE` runs one case.
"""

from support.fuzz.batches import run_cases
from support.fuzz.cases import Case, share
from support.fuzz.engine_images import IMAGES, run_images
from support.fuzz.mutators import DEVICES, LAYOUT, WEIGHTS, make_seeds
from support.fuzz.verdicts import Verdict, unexpected

GROUPS = (
    "sound", "manifest", "image", "stored", "golden", "testset", "provenance", "interface", "hwh", "bit", "layout",
    "device",
)  # fmt: skip
"""First words of the mutators of folders and boards."""


def folder_cases(count: int) -> list[Case]:
    """Cases of damaged folders and failing boards, of all mutators."""
    return share({**WEIGHTS, LAYOUT: 6, **dict.fromkeys(DEVICES, 1)}, count) if count else []


def image_cases(count: int, mutators: tuple[str, ...] = tuple(IMAGES)) -> list[Case]:
    """Cases of hostile images under sanitizers."""
    return share(dict.fromkeys(mutators, 1), count) if count else []


__all__ = [
    "GROUPS",
    "IMAGES",
    "Case",
    "Verdict",
    "folder_cases",
    "image_cases",
    "make_seeds",
    "run_cases",
    "run_images",
    "unexpected",
]
