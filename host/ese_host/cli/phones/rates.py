# SPDX-License-Identifier: Apache-2.0
"""Phone errors in words."""

from __future__ import annotations

from typing import Any


def phone_rates(found: dict[str, Any]) -> str:
    """A sentence on phone errors, of the values of `PhoneScores`."""
    viterbi, greedy = (f"{100 * found[way]['rate']:.2f}%" for way in ("viterbi", "greedy"))
    counted = f"{found['viterbi']['errors']:,} of {found['phones']:,} phones in {found['utterances']} utterances"
    return f"phone error rate: {viterbi} by Viterbi ({counted}), {greedy} greedily"
