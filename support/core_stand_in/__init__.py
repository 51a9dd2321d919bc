# SPDX-License-Identifier: Apache-2.0
"""A core with the ports of the engine in RTL that answers every packet with a trailer, for tests of the flow."""

from support.core_stand_in.core import CHANGES, DROPS, HANGS, RETRACTS, CoreStandIn, installed

__all__ = ["CHANGES", "DROPS", "HANGS", "RETRACTS", "CoreStandIn", "installed"]
