"""A cut of the rehearsal of a migration: the whole is `make migrate-rehearsal`."""

from __future__ import annotations

from pathlib import Path

import pytest

from stories.houses import Houses, Size
from stories.moving.file import FAULTS, Business
from stories.moving.rehearsal import BEGIN, Rehearsal

#: It starts both houses, and the machine may have other work.
pytestmark = [pytest.mark.story, pytest.mark.timeout(400)]

#: Each fault is there once.
ROWS = 400


async def test_a_business_moves_in_while_workers_are_killed(
    database: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("stories.moving.file.BROKEN_EVERY", 20)
    async with Houses(start_at=BEGIN, size=Size(workers=1), database=database) as houses:
        measured = await Rehearsal(houses, ROWS, print).run()
    assert measured.differences == [], capsys.readouterr().out


def test_the_file_is_broken_in_every_way() -> None:
    business = Business(len(FAULTS) * 50)
    assert {business.fault(number) for number in range(business.rows)} == {None, *FAULTS}
    assert sum(business.expected().values()) == business.rows - sum(map(business.is_right, range(business.rows)))
