# SPDX-License-Identifier: Apache-2.0
"""The activation window: which columns of a matrix the PEs can read in each beat (image-format.md, "Window").

In a design with a window all PEs share the vector RAMs. The elements of a matrix's source vector are broadcast in
ascending order, two columns at a time, and each PE keeps the last columns in its window. A beat is an iteration in
which every PE executes the entry of the same slot. The encoder decides for each beat whether the window advances, and
lets a PE wait whose next column is not there yet.
"""

from ese_host.image.window.advance_bits import check, placed, read, section
from ese_host.image.window.beats import Bits, WindowSchedule, schedule, wait, with_waits

__all__ = ["Bits", "WindowSchedule", "check", "placed", "read", "schedule", "section", "wait", "with_waits"]
