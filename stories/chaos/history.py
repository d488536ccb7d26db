"""One agreement's whole history from both sides on one time line, for whoever has to find out why they differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stories.clients import Json

Event = tuple[str, str, str]


def history(agreement_id: str, sandbox: Json, provider: Json) -> list[Event]:
    """(instant, side, what happened), in order of time; `agreement_id` is either side's."""
    return sorted([*_ours(agreement_id, provider), *_theirs(agreement_id, sandbox, provider)])


def _ours(agreement_id: str, provider: Json) -> Iterator[Event]:
    for agreement in provider["agreements"]:
        if agreement_id not in (agreement["agreementId"], *agreement["gatewayAgreementIds"]):
            continue
        mine = agreement["agreementId"]
        yield "", "provider", f"{agreement['status']}, access until {agreement['accessUntil']}"
        for charge in agreement["charges"]:
            tried = ", ".join(f"{a['attemptId']} {a['status']}" for a in charge["attempts"])
            yield (
                charge["dueDate"],
                "provider",
                f"period {charge['period']} {charge['status']}: captured {charge['captured']}, "
                f"refunded {charge['refunded']}; attempts: {tried or 'none'}",
            )
        for entry in provider["ledger"]:
            if entry["agreementId"] == mine:
                yield entry["bookedAt"], "provider", f"books a {entry['kind']} of {entry['amount']}"
        for receipt in provider["receipts"]:
            if receipt["agreementId"] == mine:
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
