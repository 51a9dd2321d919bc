# SPDX-License-Identifier: Apache-2.0
"""Base class of objects that must be closed: engines, accelerators and pools of accelerators."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeVar

Opened = TypeVar("Opened", bound="Closeable")


class Closeable(ABC):
    """A context manager that closes itself at the end of its block."""

    def __enter__(self: Opened) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Release everything that is held. Closing twice does no harm."""
