# SPDX-License-Identifier: Apache-2.0
"""Mutators change a sound design folder or board by random numbers; the sound folders are made here too."""

from support.fuzz.mutators.damage import damage_words, pick
from support.fuzz.mutators.devices import DEVICES
from support.fuzz.mutators.files import FILES, SOUND, WEIGHTS, checked
from support.fuzz.mutators.layout import LAYOUT, damage_layout
from support.fuzz.mutators.seeds import PLAIN, PROGRAM, choose, contents_of, make_seeds

__all__ = [
    "DEVICES",
    "FILES",
    "LAYOUT",
    "PLAIN",
    "PROGRAM",
    "SOUND",
    "WEIGHTS",
    "checked",
    "choose",
    "contents_of",
    "damage_layout",
    "damage_words",
    "make_seeds",
    "pick",
]
