"""The whole history of an agreement or a purchase from both sides, for whoever has to find out why they differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg

from stories.clients import Json
from stories.houses import Houses

Event = tuple[str, str, str]


def history(its_id: str, sandbox: Json, provider: Json) -> list[Event]:
    """(instant, side, what happened), in order of time; `its_id` is an agreement's of either side, or a purchase's."""
    return sorted(
        [*_ours(its_id, provider), *_theirs(its_id, sandbox, provider), *_purchase(its_id, sandbox, provider)]
    )


def _purchase(purchase_id: str, sandbox: Json, provider: Json) -> Iterator[Event]:
    for purchase in provider["purchases"]:
        if purchase["purchaseId"] != purchase_id:
            continue
        what = f"{purchase['status']} ({purchase['endReason']}), access until {purchase['accessUntil']}"
        yield purchase["grantedAt"] or "", "provider", what
        yield from _charges(purchase)
        yield from _booked("purchaseId", purchase_id, provider)
        references = {a["attemptId"] for charge in purchase["charges"] for a in charge["attempts"]}
        for payment in sandbox["payments"]:
            if payment["reference"] in references:
                yield "", "gateway", f"{payment['reference']} is {payment['state']}"
                for event in payment["history"]:
                    yield event["occurred"], "gateway", f"{event['event']} {event['amount']}"


def _ours(agreement_id: str, provider: Json) -> Iterator[Event]:
    for agreement in provider["agreements"]:
        if agreement_id not in (agreement["agreementId"], *agreement["gatewayAgreementIds"]):
            continue
        mine = agreement["agreementId"]
        yield "", "provider", f"{agreement['status']}, access until {agreement['accessUntil']}"
        yield from _charges(agreement)
        yield from _booked("agreementId", mine, provider)


def _charges(owner: Json) -> Iterator[Event]:
    for charge in owner["charges"]:
        tried = ", ".join(f"{a['attemptId']} {a['status']}" for a in charge["attempts"])
        yield (
            charge["dueDate"],
            "provider",
            f"period {charge['period']} {charge['status']}: captured {charge['captured']}, "
            f"refunded {charge['refunded']}; attempts: {tried or 'none'}",
        )


def _booked(key: str, owner_id: str, provider: Json) -> Iterator[Event]:
    for entry in provider["ledger"]:
        if entry[key] == owner_id:
            yield entry["bookedAt"], "provider", f"books a {entry['kind']} of {entry['amount']}"
    for receipt in provider["receipts"]:
        if receipt[key] == owner_id:
            number = f"{receipt['series']} {receipt['number']}"
            yield receipt["issuedAt"], "provider", f"issues {number} of {receipt['amount']}"


def _theirs(agreement_id: str, sandbox: Json, provider: Json) -> Iterator[Event]:
    ids = {agreement_id}
    for agreement in provider["agreements"]:
        if agreement["agreementId"] == agreement_id:
            ids.update(agreement["gatewayAgreementIds"])
    for agreement in sandbox["agreements"]:
        named = any((c["externalId"] or "").startswith(f"{agreement_id}.") for c in agreement["charges"])
        if agreement["agreementId"] in ids or named:
            yield from _of_gateway(agreement)


def _of_gateway(agreement: Json) -> Iterator[Event]:
    name = agreement["agreementId"]
    for moment in ("created", "start", "stop"):
        if agreement[moment]:
            yield agreement[moment], "gateway", f"{name}: {moment}"
    for charge in agreement["charges"]:
        yield from ((e["occurred"], "gateway", _told(charge, e)) for e in charge["history"])
        for one in charge["tries"]:
            yield one["at"], "gateway", f"{charge['chargeId']}: try {'succeeds' if one['ok'] else 'fails'}"


def _told(charge: Json, event: dict[str, Any]) -> str:
    outcome = "" if event["success"] else " (failed)"
    return f"{charge['chargeId']} {charge['externalId']}: {event['event']} {event['amount']}{outcome}"


async def latest_calls(houses: Houses) -> list[str]:
    """The provider's calls whose answer is not certain, and the last few of all: what each asks, what came of it."""
    wanted = (
        "SELECT gateway, kind, method, path, status, sends, answer, send_wall - clock_timestamp() FROM calls "
        "WHERE send_wall IS NOT NULL OR id IN (SELECT id FROM calls ORDER BY id DESC LIMIT 5) ORDER BY id LIMIT 25"
    )
    async with await psycopg.AsyncConnection.connect(houses.environment["AVTALE_DATABASE_OWNER_URL"]) as connection:
        await connection.execute("SELECT set_config('app.tenant_id', tenant_id::text, true) FROM due_tenants LIMIT 1")
        rows = await (await connection.execute(wanted)).fetchall()
    return [
        f"{gateway} {kind}: {method} {path}, {status}, sent {sends} times, {answer or 'no word'}, again in {waits}"
        for gateway, kind, method, path, status, sends, answer, waits in rows
    ]
