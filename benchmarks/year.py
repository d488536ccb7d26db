"""A year of a thousand monthly agreements in one turn of the clock, every webhook delivered and verified."""

from __future__ import annotations

import time
from typing import Any

from . import servers, shop
from .receiver import Receiver

AGREEMENTS = 1000
MONTHS = 12
EVENTS = ("recurring.charge-captured.v1",)
WAIT_SECONDS_MAX = 120.0


def run() -> dict[str, Any]:
    """Create all charges ahead, then turn the clock by 13 months and wait for the last webhook."""
    receiver = Receiver()
    with servers.sandbox() as server:
        merchant = shop.Shop(server.url, stateful=False)
        token = merchant.ask("POST", "/accesstoken/get", headers=shop.KEYS)["access_token"]
        merchant.headers["Authorization"] = f"Bearer {token}"
        order = {"url": receiver.url, "events": list(EVENTS)}
        secret = merchant.ask("POST", "/webhooks/v1/webhooks", order)["secret"]
        agreements = [merchant.approved() for _ in range(AGREEMENTS)]
        started = time.perf_counter()
        for month in range(1, MONTHS + 1):
            due = f"{2027 + month // 12}-{month % 12 + 1:02d}-01"
            batch = [
                shop.CHARGE | {"agreementId": one, "orderId": f"{one.removeprefix('agr_')}-{month}", "due": due}
                for one in agreements
            ]
            answer = merchant.ask("POST", f"{shop.V3}/charges", batch)
            if len(answer["validCharges"]) != AGREEMENTS:
                raise RuntimeError(f"refused: {answer['invalidCharges'][:1]}")
        created = time.perf_counter() - started
        started, busy = time.perf_counter(), server.cpu_seconds()
        merchant.ask("POST", "/_sandbox/clock/advance", {"by": "P13M"})
        turned = time.perf_counter() - started
        while len(receiver.got) < AGREEMENTS * MONTHS and time.perf_counter() - started < WAIT_SECONDS_MAX:
            time.sleep(0.01)
        delivered, busy = time.perf_counter() - started, server.cpu_seconds() - busy
    receiver.close()
    told = {
        "charges": AGREEMENTS * MONTHS,
        "created_seconds": round(created, 2),
        "advance_seconds": round(turned, 2),
        "delivered_seconds": round(delivered, 2),
        "cpu_seconds": round(busy, 2),
        "webhooks": len(receiver.got),
        "well_signed": receiver.well_signed(secret),
    }
    print(
        f"\n{told['charges']} charges created in {created:.1f} s; 13 months in {turned:.1f} s, of which the sandbox "
        f"had a processor for {busy:.1f} s; after {delivered:.1f} s {told['webhooks']} webhooks were there, "
        f"{told['well_signed']} of them signed as they should be"
    )
    return told
