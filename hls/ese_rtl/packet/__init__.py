# SPDX-License-Identifier: Apache-2.0
"""Packets: words in, LOAD into the memories, sequences of RUN to the core, answers with their trailer out."""

from ese_rtl.packet.packets import Packets
from ese_rtl.packet.ports import WORD, PacketWord, Report

__all__ = ["WORD", "PacketWord", "Packets", "Report"]
