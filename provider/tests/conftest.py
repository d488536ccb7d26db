"""What the provider's tests share: one embedded PostgreSQL for each test process."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from avtale.storage.embedded import EmbeddedPostgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A running server, fast and forgetful; with pytest-xdist each worker has its own."""
    folder = Path(tempfile.mkdtemp(prefix="avtale-pg-"))
    try:
        with EmbeddedPostgres(folder / "data", durable=False) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)
