# SPDX-License-Identifier: Apache-2.0
"""Skip mode (EIE): the columns whose elements count are broadcast to a FIFO in front of each PE."""

from ese_rtl.skip.feed import SkipFeed, scan_ports
from ese_rtl.skip.scan import COLUMN_BITS, THRESHOLD_BITS

__all__ = ["COLUMN_BITS", "THRESHOLD_BITS", "SkipFeed", "scan_ports"]
