# SPDX-License-Identifier: Apache-2.0
"""Proofs about components in RTL, by the solver of Yosys: claims, induction or bounded search, counterexamples."""

from support.proof.claims import Claims
from support.proof.mutated import mutated
from support.proof.opened import opened
from support.proof.solver import DEADLINE, Decision, Finding, by_induction, unreached, within_clocks

__all__ = [
    "DEADLINE",
    "Claims",
    "Decision",
    "Finding",
    "by_induction",
    "mutated",
    "opened",
    "unreached",
    "within_clocks",
]
