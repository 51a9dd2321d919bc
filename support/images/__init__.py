# SPDX-License-Identifier: Apache-2.0
"""Images of random networks, and what the second decoder reads from them."""
