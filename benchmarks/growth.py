"""Whether a call costs the same however much is stored, what an agreement weighs, and how long the sandbox pauses."""

from __future__ import annotations

from typing import Any

from . import servers, shop
from .wrk import measure

FEW = 1000
SECONDS = 3
_COLUMNS = ("per_second", "cpu_us", "p50_ms", "p99_ms", "slowest_ms")


def run(stored: int) -> dict[str, Any]:
    """Measure with few agreements and with many; each is a draft, in one sandbox process without a state file."""
    with servers.sandbox() as server:
        merchant = shop.Shop(server.url)
        told: dict[str, Any] = {}
        few = _fill(server, merchant, 0, FEW)
        told["few"] = _measured(server, merchant, few)
        light, count = server.megabytes(), few + told["few"]["draft"]["count"]
        many = _fill(server, merchant, count, stored)
        heavy = server.megabytes()
        told["bytes_per_agreement"] = round((heavy - light) * 1024 * 1024 / (many - count))
        told["many"] = _measured(server, merchant, many)
        print(f"\n{'stored':>8} {'':8} " + " ".join(f"{column:>10}" for column in _COLUMNS))
        for name in ("few", "many"):
            for operation in shop.OPERATIONS:
                numbers = " ".join(f"{told[name][operation][column]:10}" for column in _COLUMNS)
                print(f"{told[name]['stored']:8} {operation:8} {numbers}")
        print(
            f"{told['bytes_per_agreement']} bytes for each agreement, with the key that drafted it and its exchange; "
            f"{light:.0f} MB with {count}, {heavy:.0f} MB with {many}"
        )
        return told


def _measured(server: servers.Server, merchant: shop.Shop, stored: int) -> dict[str, Any]:
    told: dict[str, Any] = {"stored": stored}
    for operation in ("fetch", "charge", "draft"):
        busy = server.cpu_seconds()
        got = measure(server.url, merchant.load(operation), 32, SECONDS, f"g{stored}-{operation}")
        busy = server.cpu_seconds() - busy
        told[operation] = {
            "count": got.count,
            "per_second": round(got.per_second),
            "cpu_us": round(busy * 1e6 / got.count),
            "p50_ms": round(got.p50, 2),
            "p99_ms": round(got.p99, 2),
            "slowest_ms": round(got.slowest, 1),
        }
    return told


def _fill(server: servers.Server, merchant: shop.Shop, count: int, wanted: int) -> int:
    """Draft until at least so many are stored, beginning with `count`; gives how many there are then."""
    number = 0
    while count < wanted:
        number += 1
        seconds = min(max((wanted - count) // 8000, 1), 10)
        count += measure(server.url, merchant.load("draft"), 32, seconds, f"f{wanted}-{number}").count
    return count
