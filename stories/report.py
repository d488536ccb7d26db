"""What a story leaves behind: `story.json`, in the shape of the schema beside this module."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from stories.almanac import iso
from stories.books import Difference
from stories.orders import drawn_up, order_of, orders_of

Json = dict[str, Any]

VERSION = 2
SCHEMA = Path(__file__).with_name("story.schema.json")


def agreement_report(sandbox: Json, provider: Json, agreement_id: str, states: list[tuple[str, datetime]]) -> Json:
    """One agreement out of both exports: its states, charges with their tries, documents and access."""
    (ours,) = (a for a in provider["agreements"] if a["agreementId"] == agreement_id)
    orders = orders_of(a for i, a in drawn_up(sandbox).items() if i in ours["gatewayAgreementIds"])
    return {
        "agreement": {
            "agreementId": agreement_id,
            "gatewayAgreementIds": ours["gatewayAgreementIds"],
            "anchorDate": ours["anchorDate"],
            "states": _states(states),
        },
        "purchase": None,
        "charges": [_charge(charge, orders) for charge in sorted(ours["charges"], key=lambda c: c["period"] or 0)],
        "receipts": _papers(provider, "agreementId", agreement_id),
        "access": {"until": ours["accessUntil"]},
    }


def purchase_report(provider: Json, purchase_id: str, states: list[tuple[str, datetime]]) -> Json:
    """One purchase out of the provider's export, in the same shape; a payment has no tries that anybody sees."""
    (ours,) = (p for p in provider["purchases"] if p["purchaseId"] == purchase_id)
    return {
        "agreement": None,
        "purchase": {
            "purchaseId": purchase_id,
            "productId": ours["productId"],
            "accessDays": ours["accessDays"],
            "states": _states(states),
        },
        "charges": [_charge(charge, {}) for charge in ours["charges"]],
        "receipts": _papers(provider, "purchaseId", purchase_id),
        "access": {"until": ours["accessUntil"]},
    }


def _states(states: list[tuple[str, datetime]]) -> list[Json]:
    return [{"status": status, "at": iso(at)} for status, at in states]


def _papers(provider: Json, key: str, owner_id: str) -> list[Json]:
    numbers = {r["receiptId"]: r["number"] for r in provider["receipts"]}
    papers = [r for r in provider["receipts"] if r[key] == owner_id]
    return [
        {
            "number": r["number"],
            "kind": r["series"],
            "chargeId": r["chargeId"],
            "amount": r["amount"],
            "currency": r["currency"],
            "issuedAt": r["issuedAt"],
            "corrects": numbers.get(r["corrects"]),
        }
        for r in sorted(papers, key=lambda r: (r["issuedAt"], r["series"], r["number"]))
    ]


def _charge(charge: Json, orders: dict[str, Json]) -> Json:
    tries = [t for a in charge["attempts"] for t in orders.get(order_of(a), {"tries": []})["tries"]]
    kept = ("chargeId", "period", "periodStart", "periodEnd", "dueDate", "amount", "currency", "status")
    return {
        **{key: charge[key] for key in kept},
        "captured": charge["captured"],
        "refunded": charge["refunded"],
        "attempts": [{"attemptId": a["attemptId"], "status": a["status"]} for a in charge["attempts"]],
        "tries": [{"at": t["at"], "ok": t["ok"], "reason": t["reason"]} for t in tries],
    }


def story_report(
    people: list[Json], differences: list[Difference], *, began: datetime, ended: datetime, currency: str
) -> Json:
    """The whole report; `people` are of `agreement_report` or `purchase_report`, with who they are and what was
    expected of them."""
    charges = [c for p in people for c in p["charges"]]
    return {
        "version": VERSION,
        "began": iso(began),
        "ended": iso(ended),
        "currency": currency,
        "people": people,
        "totals": {
            "charges": len(charges),
            "captured": sum(c["captured"] for c in charges),
            "refunded": sum(c["refunded"] for c in charges),
        },
        "audit": [d.as_json() for d in differences] or "ok",
    }


def write_report(report: Json, path: Path) -> None:
    """Write a report that holds to the schema. `jsonschema.ValidationError` when it does not."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(report)
    path.write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
