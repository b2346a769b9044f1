"""What the tests of datasets share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from toklab.datasets.readers.worker import DecodeWorker


@pytest.fixture(scope="session")
def worker() -> Iterator[DecodeWorker]:
    """A decoding process, which takes seconds to start; for tests that don't end it."""
    shared = DecodeWorker(600.0)
    yield shared
    shared.close()
