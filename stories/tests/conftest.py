"""A world for each story: both houses fresh, and the audit at its end."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

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


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A real browser without a window; the tests that want one are skipped where there is none."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        reason = "no Chromium here: apt-get install chromium"
        if os.environ.get("CI_REQUIRE_CHROMIUM"):
            pytest.fail(f"CI_REQUIRE_CHROMIUM is set, but there is {reason}")
        pytest.skip(reason)
    # On a busy machine an answer may take its time; what never comes fails all the same.
    expect.set_options(timeout=20_000)
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=executable, args=arguments)
        yield browser
        browser.close()
