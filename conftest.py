"""What all tests share: the oracle, published API descriptions to compare with when they are at hand."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine draws slowly: that is no fault of the code under test.
settings.register_profile("avtale", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("avtale")

ORACLE = os.environ.get("AVTALE_ORACLE", "")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not ORACLE:
        without = pytest.mark.skip(reason="AVTALE_ORACLE names no folder of published API descriptions")
        for item in items:
            if item.get_closest_marker("oracle") is not None:
                item.add_marker(without)


@pytest.fixture(scope="session")
def oracle() -> Path:
    """The folder of published API descriptions; use it in tests marked `oracle`."""
    folder = Path(ORACLE)
    assert folder.is_dir(), f"AVTALE_ORACLE={ORACLE} is no folder"
    return folder
