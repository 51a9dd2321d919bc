# SPDX-License-Identifier: Apache-2.0
"""The study of pruning, balance and weight codes: trains the networks of a grid that are missing, and writes a page."""

from benchmarks.study.cell import StudyCell, with_trunks
from benchmarks.study.grid import SIZES, Question, questions
from benchmarks.study.runner import execute, missing, run
from benchmarks.study.store import Store

__all__ = ["SIZES", "Question", "Store", "StudyCell", "execute", "missing", "questions", "run", "with_trunks"]
