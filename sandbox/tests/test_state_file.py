"""The state file: what was answered is in it, whatever happens to the process; a torn end is cut."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from avtale_sandbox import clock as timing
from avtale_sandbox import store as storing
from avtale_sandbox.people import Person
from avtale_sandbox.settings import Settings
from avtale_sandbox.store import StateFileError, Store
from avtale_sandbox.world import World

from .conftest import START, V3, Sandbox

ANNA = "4791234567"


class Process:
    """A sandbox in a process of its own, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state.jsonl"
        self.ready = folder / "ready.json"
        self.running: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        command = [sys.executable, "-c", "from avtale_sandbox.cli import main; main()", "serve", "--port", "0"]
        command += ["--state", str(self.state), "--ready-file", str(self.ready)]
        command += ["--clock", "frozen", "--start-at", START]
        self.running = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not self.ready.exists():
            assert self.running.poll() is None, "the sandbox ended at once"
            assert time.monotonic() < deadline, "the sandbox did not get ready"
            os.sched_yield()
        told = json.loads(self.ready.read_text())
        assert told["pid"] == self.running.pid
        assert told["url"] == f"http://127.0.0.1:{told['port']}"
        return str(told["url"])

    def give_room(self, size: int) -> None:
        """Let the state file grow by so many bytes and no more, as a disk that is full then."""
        assert self.running is not None
        hard = resource.prlimit(self.running.pid, resource.RLIMIT_FSIZE)[1]
        room = (self.state.stat().st_size + size, hard)
        resource.prlimit(self.running.pid, resource.RLIMIT_FSIZE, room)

    def kill(self) -> None:
        if self.running is not None:
            self.running.send_signal(signal.SIGKILL)
            self.running.wait()
            self.ready.unlink(missing_ok=True)
            self.running = None


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    one = Process(tmp_path)
    yield one
    one.kill()


async def test_a_kill_loses_nothing_that_was_answered(
    process: Process, http: aiohttp.ClientSession, receiver: Any
) -> None:
    sandbox = Sandbox(process.start(), http)
    registered = await sandbox.call(
        "POST", "/webhooks/v1/webhooks", {"url": receiver.url, "events": ["recurring.charge-captured.v1"]}
    )
    await sandbox.person("4790000001", noFunds=[{"until": "2027-02-02"}])
    agreement_id = await sandbox.agree(person="4790000001", externalId="ours")
    charge_id = await sandbox.charge(agreement_id)
    draft = await sandbox.call("POST", f"{V3}/agreements", sandbox.draft_body(), key="once")
    await sandbox.advance_to("2027-02-01T12:00:00Z")
    await sandbox.control("POST", "/faults", {"match": {}, "action": {"kind": "hang"}, "times": 1})
    await sandbox.control("DELETE", "/faults")
    before = (await sandbox.control("GET", "/export")).body
    process.kill()

    sandbox.url = process.start()
    assert (await sandbox.control("GET", "/export")).body == before
    assert (await sandbox.control("GET", "/clock"))["now"] == "2027-02-01T12:00:00Z"
    again = await sandbox.call("POST", f"{V3}/agreements", sandbox.draft_body(), key="once")
    assert again["agreementId"] == draft["agreementId"]
    listed = await sandbox.call("GET", "/webhooks/v1/webhooks")
    assert [one["id"] for one in listed["webhooks"]] == [registered["id"]]
    fresh = await sandbox.call("POST", f"{V3}/agreements", sandbox.draft_body())
    assert fresh["agreementId"] not in (agreement_id, draft["agreementId"])
    await sandbox.advance_to("2027-02-03T00:00:00Z")
    assert (await sandbox.fetch(agreement_id, charge_id))["status"] == "CHARGED"
    tries = (await sandbox.exported_charge(charge_id))["tries"]
    assert [one["ok"] for one in tries] == [False, False, True]
    assert receiver.events == ["recurring.charge-captured.v1"]


async def test_nothing_is_called_what_something_was_called_before_a_kill(
    process: Process, http: aiohttp.ClientSession
) -> None:
    sandbox = Sandbox(process.start(), http)
    body = {
        "amount": {"currency": "NOK", "value": 4900},
        "paymentMethod": {"type": "WALLET"},
        "userFlow": "WEB_REDIRECT",
        "returnUrl": "https://film.example/thanks",
    }
    seen = []
    for reference in ("film-0001", "film-0002", "film-0003"):
        headers = await sandbox.headers(reference) | {"Merchant-Serial-Number": "123456"}
        path = "/epayment/v1/payments"
        made = await sandbox.raw("POST", path, json.dumps(body | {"reference": reference}).encode(), headers)
        assert made.status == 201, made.body
        await sandbox.control("POST", f"/phone/{ANNA}/payments/{reference}/approve")
        log = await sandbox.raw("GET", f"{path}/{reference}/events", None, headers)
        seen += [event["pspReference"] for event in log.body]
        for room, order in (
            ("faults", {"match": {"operationId": "getPayment"}, "action": {"kind": "hang"}}),
            ("failures", {"chargeId": reference}),
        ):
            seen.append((await sandbox.control("POST", f"/{room}", order))["id"])
        process.kill()
        sandbox.url = process.start()
    assert len(set(seen)) == len(seen) == 12


async def test_a_webhook_that_was_not_answered_is_sent_after_a_kill(
    process: Process, http: aiohttp.ClientSession, receiver: Any
) -> None:
    sandbox = Sandbox(process.start(), http)
    order = {"url": receiver.url, "events": ["recurring.agreement-activated.v1"]}
    await sandbox.call("POST", "/webhooks/v1/webhooks", order)
    receiver.answers = [500]
    agreement_id = await sandbox.agree()
    await sandbox.advance(by="PT1S")
    process.kill()
    sandbox.url = process.start()
    await sandbox.advance(by="PT10S")
    assert [one["agreementId"] for one in receiver.got] == [agreement_id] * 2


async def test_a_terminated_sandbox_takes_its_ready_file_with_it(process: Process) -> None:
    process.start()
    assert process.running is not None
    process.running.terminate()
    process.running.wait(10)
    assert not process.ready.exists()


def opened(path: Path) -> World:
    world = World(Settings(state_path=str(path), clock_running=False, start_at=START))
    world.load()
    return world


def written(path: Path) -> list[bytes]:
    """A state file with a few people in it; gives its lines."""
    world = opened(path)
    for number in range(3):
        world.people.meet(f"479000000{number}")
        world.store.commit()
    world.store.close()
    return path.read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize("torn", [1, 20, "garbage", "newline"])
def test_a_torn_last_line_is_cut_and_the_file_goes_on(tmp_path: Path, torn: int | str) -> None:
    path = tmp_path / "state.jsonl"
    lines = written(path)
    if torn == "garbage":
        path.write_bytes(b"".join(lines[:-1]) + b"\x00\x00\x00\xff")
    elif torn == "newline":
        path.write_bytes(b"".join(lines[:-1]) + lines[-1][:30] + b"\n")
    else:
        assert isinstance(torn, int)
        path.write_bytes(b"".join(lines)[:-torn])
    world = opened(path)
    assert [one.phone_number for one in world.people.all()] == [ANNA, "4790000000", "4790000001"]
    world.people.meet("4790000007")
    world.store.close()
    world = opened(path)
    assert [one.phone_number for one in world.people.all()][-1] == "4790000007"
    world.store.close()


def test_damage_in_the_middle_refuses_the_file(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    lines = written(path)
    path.write_bytes(b"".join([lines[0], lines[1][:10] + b"\n", *lines[2:]]))
    with pytest.raises(StateFileError, match="damaged in line 2"):
        opened(path)


def test_another_kind_of_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes\nmore notes\n")
    with pytest.raises(StateFileError, match="not a state file"):
        opened(path)
    assert path.read_text() == "my notes\nmore notes\n"


def test_a_file_in_use_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    world = opened(path)
    with pytest.raises(StateFileError, match="in use"):
        opened(path)
    world.store.close()


def test_a_file_of_mostly_outdated_rows_is_packed(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    world = opened(path)
    for number in range(500):
        person = world.people.meet(ANNA)
        person.name = f"Anna {number}"
        world.people.save(person)
        world.store.commit()
    world.store.close()
    size = path.stat().st_size
    world = opened(path)
    assert world.people.all()[0].name == "Anna 499"
    assert path.stat().st_size < size / 10
    world.people.meet("4790000007")
    world.store.close()
    world = opened(path)
    assert [one.phone_number for one in world.people.all()] == [ANNA, "4790000007"]
    world.store.close()


def test_a_file_that_cannot_be_used_is_told_on_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes\nmore notes\n")
    command = [sys.executable, "-c", "from avtale_sandbox.cli import main; main()", "serve", "--port", "0"]
    ended = subprocess.run([*command, "--state", str(path)], capture_output=True, text=True, timeout=30)
    assert ended.returncode == 2
    assert "not a state file" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_business_time_goes_on_when_the_computers_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = 1_800_000_000_000
    monkeypatch.setattr(timing, "wall_now", lambda: wall)
    clock = timing.Clock(Store())
    clock.load(running=True, start_at=1_000)
    shown = [clock.now()]
    for step in (500, -3_600_000, 0, 250, 4_000):
        wall += step
        shown.append(clock.now())
    assert shown == [1_000, 1_500, 1_500, 1_500, 1_750, 5_750]


def people_in(path: Path) -> list[str]:
    """The names in a state file that holds people alone."""
    store = Store()
    people = store.table("person", Person)
    store.open(path)
    store.close()
    return [one.name for one in people.values()]


@pytest.mark.parametrize("left_behind", [b"", b"\0" * 40, b"\0" * 40 + b"\n"])
def test_a_power_cut_at_any_byte_costs_nothing_that_was_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_behind: bytes
) -> None:
    """The disk keeps what was forced to it, as much as it likes of the rest, and perhaps zeros where more was to be."""
    path = tmp_path / "state.jsonl"
    forced = []
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(storing.os, name, lambda fd: forced.append(os.fstat(fd).st_size))
    store = Store()
    people = store.table("person", Person)
    store.open(path, synced=True)
    answered = []
    for name in ("Anna", "Bjørn", "Åse"):
        people.put(name, Person(phone_number=f"47{name}", name=name))
        store.commit()
        answered.append((forced[-1], name))
    store.close()
    written = path.read_bytes()
    assert answered[-1][0] == len(written)
    for cut in range(answered[0][0], len(written)):
        path.write_bytes(written[:cut] + left_behind)
        assert people_in(path) == [name for size, name in answered if size <= cut]
        assert people_in(path) == [name for size, name in answered if size <= cut]


async def test_a_full_disk_is_said_and_nothing_is_answered_that_is_not_in_the_file(
    process: Process, http: aiohttp.ClientSession
) -> None:
    sandbox = Sandbox(process.start(), http)
    before = await sandbox.draft()
    process.give_room(100)
    for _ in range(2):
        refused = await sandbox.call("POST", f"{V3}/agreements", sandbox.draft_body(), key="once")
        assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
        assert "File too large" in str(refused.body)
    for path in (f"{V3}/agreements/{before['agreementId']}", "/_sandbox/export", "/phone/", "/stripe/v1/events"):
        assert (await sandbox.raw("GET", path, headers=await sandbox.headers())).status == 503
    process.kill()

    sandbox.url = process.start()
    assert [a["agreementId"] for a in (await sandbox.control("GET", "/export"))["agreements"]] == [
        before["agreementId"]
    ]
    process.give_room(100)
    assert (await sandbox.call("POST", f"{V3}/agreements", sandbox.draft_body(), key="once")).status == 503
    process.give_room(10**9)
    after = await sandbox.call("POST", f"{V3}/agreements", sandbox.draft_body(), key="once")
    assert after.status == 201
    export = (await sandbox.control("GET", "/export")).body
    process.kill()
    sandbox.url = process.start()
    assert (await sandbox.control("GET", "/export")).body == export
    assert len(export["agreements"]) == 2
