"""Measures the sandbox and the provider, all servers up at once, rounds interleaved, and says medians.

make bench                          both, without anybody else's sandbox
make bench PEERS=/some/folder       and Prism and WireMock, where `npm install @stoplight/prism-cli wiremock` was run
make bench ROUNDS=5 SECONDS_EACH=2  how often, and how long each time
make bench ONLY=speed               one part of the sandbox: speed, growth or year
make bench ONLY=billing             one of the provider: billing, budget, webhooks, checkout, reads, start or migration
make bench DUE=2000 IDLE=0,20000    how many agreements are due, and among how many idle ones
make bench FLEET=1,2,4              how many workers send, one run of the billing after another
make bench ROWS=1000000             how many agreements and receipts there are beside the bare endpoint
make bench JSON=told.json PAGE=yes  and the provider's figures into docs/reference/performance.md
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import growth, migration, pauses, provider, servers, shop, year
from .provider import page
from .wrk import measure

CONNECTIONS = (1, 32)


@dataclass(frozen=True, slots=True)
class Round:
    """One measurement; `cpu_us` is the server's processor time for each request, in microseconds."""

    per_second: float
    cpu_us: float
    p50_ms: float
    p99_ms: float


def main() -> None:
    """Measure what was asked for and print it; `--json` writes the numbers to a file."""
    asked = argparse.ArgumentParser(prog="make bench", description=__doc__.splitlines()[0] if __doc__ else None)
    asked.add_argument("--peers", type=Path, default=None, help="folder in which npm installed prism and wiremock")
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--seconds", type=int, default=2)
    asked.add_argument("--stored", type=int, default=200_000, help="agreements stored for the last part")
    parts = ("speed", "growth", "year", "migration", *provider.PARTS)
    asked.add_argument("--only", choices=parts, default=None)
    asked.add_argument("--due", type=int, default=10_000, help="agreements that are due at one time")
    asked.add_argument("--idle", default="0,100000", help="agreements that are not, for each run of the billing")
    asked.add_argument("--fleet", default="1,2", help="how many workers send, one run of the billing after another")
    asked.add_argument("--rows", type=int, default=None, help="agreements beside the bare endpoint; as many as idle")
    asked.add_argument("--json", type=Path, default=None)
    asked.add_argument("--page", action="store_true", help="write the provider's figures into its page")
    order = asked.parse_args()
    if order.only not in ("migration", "billing", "budget", "start") and shutil.which("wrk") is None:
        sys.exit("wrk is needed to send requests: apt-get install wrk")
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    told: dict[str, Any] = {}
    if order.only in (None, "speed"):
        told["speed"] = speed(order.peers, order.rounds, order.seconds)
    if order.only in (None, "growth"):
        told["growth"] = growth.run(order.stored)
        told["pauses"] = pauses.run(order.stored)
    if order.only in (None, "year"):
        told["year"] = year.run()
    if order.only in (None, "migration"):
        told["migration"] = migration.run()
    if order.only is None or order.only in provider.PARTS:
        idle = [int(count) for count in order.idle.split(",")]
        fleets = [int(count) for count in order.fleet.split(",")]
        told["provider"] = provider.run(order.only, order.due, idle, fleets, order.rows, order.rounds, order.seconds)
    if order.page and "provider" in told:
        page.write(told["provider"])
    if order.json is not None:
        order.json.write_text(json.dumps(told, indent=2) + "\n")


def speed(peers: Path | None, rounds: int, seconds: int) -> dict[str, Any]:
    """Draft, fetch and create a charge, at 1 and 32 connections, at every server there is."""
    with contextlib.ExitStack() as up:
        folder = Path(up.enter_context(tempfile.TemporaryDirectory()))
        running = [up.enter_context(servers.sandbox())]
        running.append(up.enter_context(servers.sandbox("with --state", folder / "state")))
        idle = [server.megabytes() for server in running]
        shops = {server.name: shop.Shop(server.url) for server in running}
        if servers.available(peers, "prism") and peers is not None:
            running.append(up.enter_context(servers.prism(peers)))
        if servers.available(peers, "wiremock") and peers is not None:
            stubs = shop.stubs(shops[running[0].name])
            running.append(up.enter_context(servers.wiremock(peers, stubs)))
        for server in running[2:]:
            shops[server.name] = shop.Shop(server.url, stateful=False)
            idle.append(server.megabytes())
        print(f"\n{'':14} {'ready':>8} {'of that busy':>13} {'idle':>8}")
        for server, megabytes in zip(running, idle, strict=True):
            print(
                f"{server.name:14} {server.ready_seconds:6.2f} s {server.ready_cpu_seconds:11.2f} s {megabytes:5.0f} MB"
            )
        found: dict[tuple[str, str, int], list[Round]] = {}
        for number in range(rounds + 1):
            for operation in shop.OPERATIONS:
                for connections in CONNECTIONS:
                    for server in running:
                        # The first round only warms up.
                        length = seconds if number else 1
                        run = f"{number}-{operation[:2]}-{connections}"
                        busy = server.cpu_seconds()
                        got = measure(server.url, shops[server.name].load(operation), connections, length, run)
                        busy = server.cpu_seconds() - busy
                        if got.failed:
                            print(f"  {server.name}: {got.failed} of {operation} failed", file=sys.stderr)
                        if number:
                            one = Round(got.per_second, busy * 1e6 / got.count, got.p50, got.p99)
                            found.setdefault((server.name, operation, connections), []).append(one)
        return _told(running, idle, found)


def _told(
    running: list[servers.Server], idle: list[float], found: dict[tuple[str, str, int], list[Round]]
) -> dict[str, Any]:
    told: dict[str, Any] = {
        server.name: {
            "ready_seconds": round(server.ready_seconds, 3),
            "ready_cpu_seconds": round(server.ready_cpu_seconds, 3),
            "idle_megabytes": round(megabytes, 1),
        }
        for server, megabytes in zip(running, idle, strict=True)
    }
    print(f"\n{'':8} {'conn.':>5}  {'':14} {'per second':>10} {'cpu us':>8} {'p50 ms':>8} {'p99 ms':>8} {'ours is':>9}")
    for operation in shop.OPERATIONS:
        for connections in CONNECTIONS:
            ours = _median(found[running[0].name, operation, connections], "per_second")
            for server in running:
                got = {name: _median(found[server.name, operation, connections], name) for name in Round.__slots__}
                print(
                    f"{operation:8} {connections:5}  {server.name:14} {got['per_second']:10.0f} {got['cpu_us']:8.0f} "
                    f"{got['p50_ms']:8.2f} {got['p99_ms']:8.2f} {ours / got['per_second']:8.2f}x"
                )
                told[server.name][f"{operation} at {connections}"] = {name: round(n, 2) for name, n in got.items()}
    return told


def _median(rounds: list[Round], name: str) -> float:
    return float(statistics.median(getattr(one, name) for one in rounds))


if __name__ == "__main__":
    main()
