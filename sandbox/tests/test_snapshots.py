"""Everything is kept as it is, and can be made so again, in the state file too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from avtale_sandbox.settings import Settings
from avtale_sandbox.world import World


async def everything(sandbox: Any) -> Any:
    paths = ("/export", "/people", "/merchants", "/faults", "/faults/random", "/failures", "/webhooks/deliveries")
    return [(await sandbox.control("GET", path)).body for path in (*paths, "/clock")]


async def test_what_was_kept_comes_back_with_its_time(sandbox: Any, hooked: Any, quiet: Any) -> None:
    agreement_id = await sandbox.agree()
    await sandbox.charge(agreement_id, orderId="feb")
    await quiet()
    before = await everything(sandbox)
    taken = await sandbox.control("POST", "/snapshots", {"name": "signed up"})
    assert (taken.status, taken["agreements"], taken["now"]) == (201, 1, "2027-01-15T09:00:00Z")
    for month in (3, 4):  # the same future twice
        await sandbox.person("4790000009")
        await sandbox.control("POST", "/faults", {"match": {}, "action": {"kind": "hang"}, "times": 1, "id": "f"})
        await sandbox.control("DELETE", "/faults/f")
        await sandbox.advance_to(f"2027-0{month}-01T00:00:00Z")
        assert (await sandbox.fetch(agreement_id, "feb"))["status"] == "CHARGED"
        assert (await sandbox.control("POST", "/snapshots/signed up/restore")).status == 204
        assert await everything(sandbox) == before
    assert (await sandbox.control("GET", "/requests"))["requests"] == []
    await sandbox.advance_to("2027-02-02T00:00:00Z")
    assert hooked.events.count("recurring.charge-captured.v1") == 3


async def test_the_same_calls_after_a_return_give_the_same_ids(sandbox: Any) -> None:
    await sandbox.control("POST", "/snapshots", {"name": "a"})
    first = (await sandbox.draft())["agreementId"]
    await sandbox.control("POST", "/snapshots/a/restore")
    assert (await sandbox.draft())["agreementId"] == first


async def test_snapshots_are_listed_and_forgotten(sandbox: Any) -> None:
    assert (await sandbox.control("POST", "/snapshots"))["name"] == "snapshot-1"
    assert [one["name"] for one in (await sandbox.control("GET", "/snapshots"))["snapshots"]] == ["snapshot-1"]
    assert (await sandbox.control("POST", "/snapshots", {"name": "a/b"})).status == 400
    assert (await sandbox.control("DELETE", "/snapshots/snapshot-1")).status == 204
    for method, path in (("DELETE", "/snapshots/snapshot-1"), ("POST", "/snapshots/snapshot-1/restore")):
        assert (await sandbox.control(method, path)).status == 404
    for number in range(20):
        await sandbox.control("POST", "/snapshots", {"name": f"n-{number}"})
    assert (await sandbox.control("POST", "/snapshots", {"name": "one more"})).status == 409
    assert (await sandbox.control("POST", "/snapshots", {"name": "n-3"})).status == 201


async def test_time_does_not_go_back_for_who_follows_it(sandbox: Any) -> None:
    await sandbox.control("POST", "/snapshots", {"name": "a"})
    await sandbox.advance(by="PT1M")
    await sandbox.control("POST", "/clock/participants", {"name": "shop", "url": "http://127.0.0.1:9/clock"})
    assert (await sandbox.control("POST", "/snapshots/a/restore")).status == 409
    await sandbox.control("DELETE", "/clock/participants/shop")
    assert (await sandbox.control("POST", "/snapshots/a/restore")).status == 204


async def test_tokens_stay_good(sandbox: Any) -> None:
    await sandbox.control("POST", "/snapshots", {"name": "a"})
    await sandbox.draft()
    await sandbox.control("POST", "/snapshots/a/restore")
    assert (await sandbox.call("GET", "/recurring/v3/agreements")).status == 200


def test_a_return_is_in_the_state_file(tmp_path: Path) -> None:
    settings = Settings(state_path=str(tmp_path / "state"), clock_running=False, start_at="2027-01-15T09:00:00Z")
    world = World(settings)
    world.load()
    snapshot = world.snapshot()
    people = world.people.all()
    world.people.meet("4790000001")
    world.people.delete(people[0].phone_number)
    world.clock.set(world.clock.now() + 1000, False)
    world.store.commit()
    world.restore(snapshot)
    world.store.close()
    again = World(settings)
    again.load()
    assert again.people.all() == people
    assert again.clock.now() == snapshot.now
    again.store.close()
