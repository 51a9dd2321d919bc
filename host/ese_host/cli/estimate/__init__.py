# SPDX-License-Identifier: Apache-2.0
"""The command `ese4ml estimate`."""

from ese_host.cli.estimate.commands import estimate

__all__ = ["estimate"]
