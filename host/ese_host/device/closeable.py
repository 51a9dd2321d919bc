"""What is open until it is closed: engines, accelerators, pools of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeVar

Own = TypeVar("Own", bound="Closeable")


class Closeable(ABC):
    """A context manager that closes itself at the end of its block."""

    def __enter__(self: Own) -> Own:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Let go of what is held; a second time does nothing."""
