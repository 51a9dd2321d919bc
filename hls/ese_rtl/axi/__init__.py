# SPDX-License-Identifier: Apache-2.0
"""AXI4-Lite: the registers by which the host starts the engine and sees what it did last."""

from ese_rtl.axi.lite import ADDRESS_BITS, AXI_LITE
from ese_rtl.axi.registers import Registers

__all__ = ["ADDRESS_BITS", "AXI_LITE", "Registers"]
