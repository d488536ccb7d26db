"""The fixture `vipps_sandbox` for other people's pytest suites: one server a session, as new for every test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .testing import VippsSandbox, sandbox

_NEW = "as new"


@pytest.fixture(scope="session")
def vipps_sandbox_settings() -> dict[str, Any]:
    """How the sandbox is set; override it in a conftest.py, for instance `{"start_at": "2027-03-01T09:00:00Z"}`."""
    return {}


@pytest.fixture(scope="session")
def vipps_sandbox_server(vipps_sandbox_settings: dict[str, Any]) -> Iterator[VippsSandbox]:
    """The one server of this session; what a test does to it stays: use `vipps_sandbox`."""
    with sandbox(**vipps_sandbox_settings) as running:
        running.snapshot(_NEW)
        yield running


@pytest.fixture
def vipps_sandbox(vipps_sandbox_server: VippsSandbox) -> VippsSandbox:
    """A sandbox in which nothing has happened yet, with real HTTP at its `url`."""
    for one in vipps_sandbox_server.command("GET", "/clock")["participants"]:
        vipps_sandbox_server.command("DELETE", f"/clock/participants/{one['name']}")
    vipps_sandbox_server.restore(_NEW)
    return vipps_sandbox_server
