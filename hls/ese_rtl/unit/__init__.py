# SPDX-License-Identifier: Apache-2.0
"""The element-wise unit: it turns accumulators into c and h of LSTM cells, or into the outputs of rows."""

from ese_rtl.unit.lookup import LOOKUP
from ese_rtl.unit.unit import Unit

__all__ = ["LOOKUP", "Unit"]
