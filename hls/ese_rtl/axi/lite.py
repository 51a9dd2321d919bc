# SPDX-License-Identifier: Apache-2.0
"""The signals of AXI4-Lite, as the side that asks sees them."""

from __future__ import annotations

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

ADDRESS_BITS = 7
"""Bits of a byte offset; Vitis HLS gives as many to the same registers."""

AXI_LITE = wiring.Signature(
    {
        "awvalid": Out(1),
        "awready": In(1),
        "awaddr": Out(ADDRESS_BITS),
        "wvalid": Out(1),
        "wready": In(1),
        "wdata": Out(32),
        "wstrb": Out(4),
        "bvalid": In(1),
        "bready": Out(1),
        "bresp": In(2),
        "arvalid": Out(1),
        "arready": In(1),
        "araddr": Out(ADDRESS_BITS),
        "rvalid": In(1),
        "rready": Out(1),
        "rdata": In(32),
        "rresp": In(2),
    }
)
"""Names as in AXI, in lower case."""
