# SPDX-License-Identifier: Apache-2.0
"""Prints what breaks the rules in csrc: `python -m support.hls_rules`; the exit code is 1 if there is anything."""

from __future__ import annotations

import sys

from support.hls_rules import check_csrc

if __name__ == "__main__":
    breaches = check_csrc()
    sys.stdout.write("".join(f"hls/ese_hls/{breach}\n" for breach in breaches))
    sys.exit(bool(breaches))
