"""A world for each story: both houses fresh, and the audit at its end."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from stories.houses import Houses
from stories.processes import ProcessFailed
from stories.world import World


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "story: starts both houses as real processes (some seconds each)")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Both houses on 31 January 2027 at ten, local time. At the end of the story the audit must agree.

    When it does not, or the story fails, the ends of the processes' logs are printed.
    """
    try:
        async with Houses() as houses:
            world = World(houses)
            yield world
            await world.settle()
            differences = await world.audit()
            if differences:
                for name in houses.processes.names():
                    print(f"--- {name}\n{houses.processes.tail(name)}")
            assert differences == []
    except ProcessFailed as error:
        pytest.fail(f"{error}\n{error.tail}")
