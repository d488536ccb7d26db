"""Random faults come from a seed: the same dice throw the same faults, at about the rate that was asked for."""

from __future__ import annotations

from typing import Any

import pytest

V3 = "/recurring/v3/agreements"


async def statuses(sandbox: Any, count: int) -> list[int]:
    await sandbox.headers()
    return [(await sandbox.call("GET", V3)).status for _ in range(count)]


async def test_the_same_seed_throws_the_same_faults(sandbox: Any) -> None:
    await sandbox.headers()
    seen = []
    for seed in ("7", "7", "8"):
        dice = {"seed": seed, "calls": {"status": 0.2, "effect-then-status": 0.1}, "status": 503}
        assert (await sandbox.control("PUT", "/faults/random", dice)).status == 200
        seen.append(await statuses(sandbox, 100))
    assert seen[0] == seen[1] != seen[2]
    for one in seen:
        assert 15 <= one.count(503) <= 45
    shown = (await sandbox.control("GET", "/faults/random"))["random"]
    assert shown["thrown"] == {"calls": 100}
    assert sum(shown["befallen"].values()) == seen[2].count(503)
    assert (await sandbox.control("DELETE", "/faults/random")).status == 204
    assert set(await statuses(sandbox, 20)) == {200}
    assert (await sandbox.control("GET", "/faults/random"))["random"] is None


async def test_dice_are_thrown_for_what_matches_and_after_scripts(sandbox: Any) -> None:
    dice = {"calls": {"status": 1.0}, "status": 503, "match": {"operationId": "ListAgreementsV3"}}
    await sandbox.control("PUT", "/faults/random", dice)
    await sandbox.control("POST", "/faults", {"match": {}, "action": {"kind": "status", "status": 418}})
    assert (await sandbox.raw("POST", "/accesstoken/get", b"", sandbox.keys)).status == 418
    assert await statuses(sandbox, 2) == [503, 503]
    await sandbox.draft()


async def test_webhooks_are_lost_at_random_too(sandbox: Any, hooked: Any, quiet: Any) -> None:
    await sandbox.control("PUT", "/faults/random", {"seed": "3", "webhooks": {"drop": 0.5}})
    for _ in range(40):
        await sandbox.agree()
    await quiet()
    assert 8 <= len(hooked.got) <= 32
    shown = (await sandbox.control("GET", "/faults/random"))["random"]
    assert shown["befallen"] == {"drop": 40 - len(hooked.got)}


@pytest.mark.parametrize(
    "dice",
    [
        {"calls": {"explode": 0.1}},
        {"calls": {"drop": 0.1}},
        {"calls": {"hang": 1.1}},
        {"calls": {"hang": -0.1}},
        {"calls": {"hang": 0.6, "delay": 0.6}},
        {"webhooks": {"hang": 0.1}},
        {"status": 9},
        {"seconds": -1},
        {"match": {"path": "("}},
        {"match": {"webhook": "*"}},
    ],
)
async def test_dice_that_cannot_be(sandbox: Any, dice: dict[str, Any]) -> None:
    assert (await sandbox.control("PUT", "/faults/random", dice)).status == 400
    assert (await sandbox.control("GET", "/faults/random"))["random"] is None
