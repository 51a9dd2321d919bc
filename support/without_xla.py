"""Training without XLA, for tests whose networks are so small that XLA takes longer to compile than they to train."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ese_models.training import train


@pytest.fixture(scope="module", autouse=True)
def without_xla() -> Iterator[None]:
    """Trace training steps, but do not compile them; tests/end2end trains with XLA, as users do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "XLA", False)
        yield
