# SPDX-License-Identifier: Apache-2.0
"""Offers the engine in RTL as a flow: the files of its projects, and its emulated bitstreams; ese_hls finds it here."""

from ese_rtl.flow.emulation import check, emulate
from ese_rtl.flow.packaging import project_files

__all__ = ["check", "emulate", "project_files"]
