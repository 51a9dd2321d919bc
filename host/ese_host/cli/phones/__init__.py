# SPDX-License-Identifier: Apache-2.0
"""Phones that a frame-wise design tells: the command `decode`, and a sentence on phone errors for other commands."""

from ese_host.cli.phones.decode import decode
from ese_host.cli.phones.rates import phone_rates

__all__ = ["decode", "phone_rates"]
