"""A world for each story: both houses fresh, and the audit at its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from stories.houses import Houses, Size, make_database
from stories.processes import Processes, ProcessFailed
from stories.world import World


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "story: starts both houses as real processes (some seconds each)")


@pytest.fixture(scope="session")
def database() -> Iterator[Path]:
    """A migrated database to copy, which is quicker than to make each."""
    processes = Processes()
    try:
        yield asyncio.run(make_database(processes))
    finally:
        processes.end()


@pytest.fixture
async def world(database: Path) -> AsyncIterator[World]:
    """Both houses on 31 January 2027 at ten, local time. At the end of the story the audit must agree.

    When it does not, or the story fails, the ends of the processes' logs are printed.
    """
    try:
        async with Houses(size=Size(workers=1), database=database) as houses:
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
