# SPDX-License-Identifier: Apache-2.0
"""Networks, balanced pruning, quantizers and training on QKeras."""
