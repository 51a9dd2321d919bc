# SPDX-License-Identifier: Apache-2.0
"""The recorder: records what users see before and after a change, to show that nothing visible has changed."""
