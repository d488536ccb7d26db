"""`avtale demo` starts, stops and goes on where it was: after Ctrl-C, after kill -9, and when a port is taken."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stories.demonstration import DemoEnded, Demonstration
from stories.guardian import alive

#: Some start everything three times, and the machine may have other work.
pytestmark = [pytest.mark.story, pytest.mark.timeout(400)]

SECONDS_MAX = 150.0


def get(url: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=SECONDS_MAX) as answer:
        return json.loads(answer.read())


def subscribe(demo: Demonstration) -> None:
    """Anna subscribes through the API, approves on her telephone, and has her first receipt."""
    told = get(f"{demo.sandbox}/_sandbox/identity/tokens", {"subject": "phone|4791234567"})
    token = str(told["accessToken"])
    wish = {"productId": "all-films", "returnUrl": "https://shop.example.test/thanks", "phoneNumber": "4791234567"}
    request = urllib.request.Request(
        f"{demo.shop}/api/v1/pay/vipps/checkout",
        data=json.dumps(wish).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=SECONDS_MAX) as answer:
        confirmation = json.loads(answer.read())["confirmationUrl"]
    person = f"{demo.sandbox}/_sandbox/people/4791234567"
    change = urllib.request.Request(person, data=b'{"temperament": "approves"}', method="PATCH")
    urllib.request.urlopen(change, timeout=SECONDS_MAX).close()
    get(f"{demo.sandbox}/_sandbox/phone/4791234567/open", {"url": confirmation})
    until(lambda: len(receipts(demo)) == 1)


def receipts(demo: Demonstration) -> list[Any]:
    token = get(f"{demo.sandbox}/_sandbox/identity/tokens", {"subject": "phone|4791234567"})["accessToken"]
    request = urllib.request.Request(f"{demo.shop}/api/v1/receipt", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=SECONDS_MAX) as answer:
        return list(json.loads(answer.read())["receipts"])


def turn_a_month(demo: Demonstration) -> None:
    get(f"{demo.sandbox}/_sandbox/clock/advance", {"by": "P1M1D"})  # Vipps charges in the morning, and it may be night


def until(true: Callable[[], bool]) -> None:
    """Wait until something is so; the test's time limit is the limit."""
    end = time.monotonic() + SECONDS_MAX
    while not true():
        assert time.monotonic() < end, "it did not become so in time"
        time.sleep(0.05)


def pids(folder: Path) -> dict[str, int]:
    """The processes of a demonstration over a folder, by what they are."""
    found: dict[str, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            where = os.readlink(entry / "cwd")
        except OSError:
            continue
        text = " ".join(command)
        if "avtale-sandbox serve" in text and where == str(folder):
            found["sandbox"] = int(entry.name)
        elif "avtale serve" in text and where == str(folder):
            found["shop"] = int(entry.name)
        elif "avtale work" in text and where == str(folder):
            found["worker"] = int(entry.name)
        elif "avtale.demo.guardian" in text and str(folder) in text:
            found["guardian"] = int(entry.name)
    postmaster = folder / "postgres" / "cluster" / "postmaster.pid"
    if postmaster.exists():
        found["postgres"] = int(postmaster.read_text().splitlines()[0])
    return found


def test_it_ends_cleanly_and_the_next_start_goes_on_from_there(tmp_path: Path) -> None:
    with Demonstration(tmp_path) as demo:
        subscribe(demo)
        turn_a_month(demo)
        assert [one["number"] for one in receipts(demo)] == [2, 1]
        running = pids(tmp_path / "demo")
        assert set(running) == {"sandbox", "shop", "worker", "guardian", "postgres"}
        assert demo.end(signal.SIGINT) == 0
    assert not any(alive(pid, group=False) for pid in running.values())
    for secret in ("demo.json", "postgres/passwords.json"):
        assert stat.S_IMODE((tmp_path / "demo" / secret).stat().st_mode) == 0o600
    with Demonstration(tmp_path) as again:
        assert (again.shop, again.sandbox) == (demo.shop, demo.sandbox)
        assert [one["number"] for one in receipts(again)] == [2, 1]
        turn_a_month(again)
        assert [one["number"] for one in receipts(again)] == [3, 2, 1]


def test_what_is_killed_is_started_again_and_loses_nothing(tmp_path: Path) -> None:
    with Demonstration(tmp_path) as demo:
        subscribe(demo)
        turn_a_month(demo)
        for name in ("sandbox", "shop", "worker", "postgres", "guardian"):
            before = pids(tmp_path / "demo")[name]
            os.kill(before, signal.SIGKILL)
            until(lambda name=name, before=before: pids(tmp_path / "demo").get(name, before) != before)  # type: ignore[misc]
        until(lambda: _answers(demo))
        turn_a_month(demo)
        assert [one["number"] for one in receipts(demo)] == [3, 2, 1]
        for said in ("sandbox was killed", "shop was killed", "worker was killed", "PostgreSQL has died"):
            assert said in demo.said


def _answers(demo: Demonstration) -> bool:
    try:
        return bool(receipts(demo))
    except OSError:
        return False


def test_when_all_of_it_is_killed_nothing_stays_and_the_next_start_goes_on(tmp_path: Path) -> None:
    with Demonstration(tmp_path) as demo:
        subscribe(demo)
        turn_a_month(demo)
        running = pids(tmp_path / "demo")
        demo.end(signal.SIGKILL)
        until(lambda: not any(alive(pid, group=False) for pid in running.values()))
    with Demonstration(tmp_path) as again:
        assert [one["number"] for one in receipts(again)] == [2, 1]
        for pid in pids(tmp_path / "demo").values():
            os.kill(pid, signal.SIGKILL)
        again.end(signal.SIGKILL)
    with Demonstration(tmp_path) as once_more:
        turn_a_month(once_more)
        assert [one["number"] for one in receipts(once_more)] == [3, 2, 1]


def test_what_outlived_its_owner_and_its_guardian_is_ended_by_the_next_start(tmp_path: Path) -> None:
    with Demonstration(tmp_path) as demo:
        subscribe(demo)
        running = pids(tmp_path / "demo")
        os.kill(demo.process.pid, signal.SIGSTOP)  # so that it does not replace its guardian
        os.kill(running["guardian"], signal.SIGKILL)
        demo.end(signal.SIGKILL)
        assert all(alive(running[name], group=False) for name in ("sandbox", "shop", "worker"))
    with Demonstration(tmp_path) as again:
        assert not any(alive(running[name], group=False) for name in ("sandbox", "shop", "worker"))
        assert [one["number"] for one in receipts(again)] == [1]


def test_it_can_be_ended_while_it_starts(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("avtale")), "demo", "--new-ports"]
    environment = os.environ | {"AVTALE_DATA_DIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as demo:
        assert demo.stdout is not None
        assert demo.stdout.readline() == "Starting PostgreSQL and the sandbox ...\n"
        os.killpg(demo.pid, signal.SIGINT)
        assert demo.wait(SECONDS_MAX) == 0
        # Whoever still ran would hold its output.
        assert "operator" not in demo.stdout.read()
    assert set(pids(tmp_path / "demo")) <= {"postgres"}


def test_a_taken_port_is_named_and_new_ports_keep_everybody_and_everything(tmp_path: Path) -> None:
    with Demonstration(tmp_path) as demo:
        subscribe(demo)
    port = int(demo.shop.rpartition(":")[2])
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(DemoEnded, match=rf"port {port}, on which the shop was before, is taken(.|\n)*--new-ports"):
            Demonstration(tmp_path).__enter__()
        with Demonstration(tmp_path, new_ports=True) as moved:
            assert moved.shop != demo.shop
            assert moved.sandbox != demo.sandbox
            assert [one["number"] for one in receipts(moved)] == [1]
            turn_a_month(moved)
            # The webhook moved along: what Vipps tells arrives where the shop is now.
            delivered = get(f"{moved.sandbox}/_sandbox/webhooks/deliveries")["deliveries"]
            assert {one["url"].split("/api/")[0] for one in delivered if one["state"] == "delivered"} >= {moved.shop}
            assert [one["number"] for one in receipts(moved)] == [2, 1]


def test_a_second_one_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with Demonstration(tmp_path) as demo:
        ran = subprocess.run(
            [*demo.command, "--ready-file", str(tmp_path / "other.json")],
            env=os.environ | {"AVTALE_DATA_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
        )
        assert ran.returncode == 1
        assert f"runs from {tmp_path / 'demo'} already (process {demo.process.pid})" in " ".join(ran.stderr.split())
        assert _answers(demo) or receipts(demo) == []
