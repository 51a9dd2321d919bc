# SPDX-License-Identifier: Apache-2.0
"""Tells which generation of Keras is installed: Keras 3 with qkeras-v3, or Keras 2 with QKeras 0.9."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def is_keras2() -> bool:
    """Whether the installed Keras is Keras 2; False if there is no Keras.

    The package's metadata is read, since an import of Keras takes seconds.
    """
    try:
        return int(version("keras").split(".", 1)[0]) < 3
    except PackageNotFoundError:
        return False
