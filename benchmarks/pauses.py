"""What a draft costs and how long the collector of garbage stops everything, with few agreements and with many.

Measured inside one process, without a network, in processor time: so it is the same on a busy machine.
"""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import MutableMapping
from typing import Any

from avtale_sandbox.app import FrontDoor
from avtale_sandbox.server import YOUNG_OBJECTS_MAX
from avtale_sandbox.settings import Settings
from avtale_sandbox.world import World

from . import shop

STEP = 5000


def run(stored: int) -> dict[str, Any]:
    """Draft until so many are stored."""
    return asyncio.run(_run(stored))


async def _run(stored: int) -> dict[str, Any]:
    world = World(Settings(clock_running=False, start_at="2027-01-15T09:00:00Z"))
    world.load()
    door = FrontDoor(world)
    keys = dict(shop.KEYS)
    token = json.loads(await _asked(door, "/accesstoken/get", keys, b""))["access_token"]
    headers = {
        "Host": "127.0.0.1:8400",
        "Authorization": f"Bearer {token}",
        "Ocp-Apim-Subscription-Key": shop.KEYS["Ocp-Apim-Subscription-Key"],
        "Content-Type": "application/json",
    }
    body = json.dumps(shop.DRAFT).encode()
    # As the server does once it listens.
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_MAX, 20, 50)
    pauses: list[float] = []
    began = 0.0

    def collected(phase: str, info: dict[str, int]) -> None:
        nonlocal began
        if phase == "start":
            began = time.process_time()
        else:
            pauses.append(time.process_time() - began)

    gc.callbacks.append(collected)
    costs: list[float] = []
    for number in range(0, stored, STEP):
        started = time.process_time()
        for one in range(number, number + STEP):
            await _asked(door, shop.V3, headers | {"Idempotency-Key": f"p-{one}"}, body)
        costs.append((time.process_time() - started) / STEP * 1e6)
    gc.callbacks.remove(collected)
    told = {
        "stored": stored,
        "first_cpu_us": round(costs[0], 1),
        "last_cpu_us": round(costs[-1], 1),
        "longest_pause_ms": round(max(pauses, default=0.0) * 1000, 1),
        "pauses": len(pauses),
    }
    print(
        f"\na draft, inside: {told['first_cpu_us']} us of processor among the first {STEP}, {told['last_cpu_us']} us "
        f"among the last of {stored}; the longest of {len(pauses)} collections took {told['longest_pause_ms']} ms"
    )
    return told


async def _asked(door: FrontDoor, path: str, headers: dict[str, str], body: bytes) -> bytes:
    answered = b""

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal answered
        answered = message.get("body", answered)

    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "scheme": "http",
        "server": ("127.0.0.1", 8400),
    }
    await door(scope, receive, send)
    return answered
