"""Builds a clean pair of exports, as two houses that agree would give them, for tests to spoil."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from stories.almanac import iso, midnight, period_start

OSLO = ZoneInfo("Europe/Oslo")
NOW = datetime(2027, 5, 3, 10, tzinfo=UTC)

Json = dict[str, Any]
Numbers = dict[str, Iterator[int]]


@dataclass(frozen=True)
class Life:
    """One agreement: paid for so many periods, with refunds by period; `end` is a state of the provider's."""

    name: str = "anna"
    began: date = date(2027, 1, 31)
    unit: str = "month"
    count: int = 1
    paid: int = 4
    price: int = 9900
    refunds: dict[int, tuple[int, ...]] = field(default_factory=dict)
    end: str = "active"
    grace_days: int = 6


@dataclass(frozen=True)
class Rental:
    """One purchase of two days for NOK 39; `end` is a state of the provider's."""

    name: str = "henrik"
    at: datetime = datetime(2027, 3, 27, 19, tzinfo=UTC)
    days: int = 2
    price: int = 3900
    refunds: tuple[int, ...] = ()
    end: str = "paid"
    subject: str = ""


@dataclass
class Pair:
    """Both exports as JSON values, with short ways to the rows that a test wants to spoil."""

    sandbox: Json
    provider: Json

    def gateway_charge(self, name: str, period: int) -> Json:
        (found,) = (c for c in self.gateway_agreement(name)["charges"] if c["externalId"] == f"{name}.{period}")
        return _row(found)

    def gateway_agreement(self, name: str) -> Json:
        (found,) = (a for a in self.sandbox["agreements"] if a["agreementId"] == f"agr_{name}")
        return _row(found)

    def agreement(self, name: str) -> Json:
        (found,) = (a for a in self.provider["agreements"] if a["agreementId"] == name)
        return _row(found)

    def charge(self, name: str, period: int) -> Json:
        (found,) = (c for c in self.agreement(name)["charges"] if c["period"] == period)
        return _row(found)

    def payment(self, name: str) -> Json:
        (found,) = (p for p in self.sandbox["payments"] if p["reference"] == f"{name}-attempt")
        return _row(found)

    def purchase(self, name: str) -> Json:
        (found,) = (p for p in self.provider["purchases"] if p["purchaseId"] == name)
        return _row(found)

    def entries(self, name: str, kind: str) -> list[Json]:
        return [e for e in self.provider["ledger"] if name in _owner(e) and e["kind"] == kind]

    def documents(self, name: str, series: str) -> list[Json]:
        return [r for r in self.provider["receipts"] if name in _owner(r) and r["series"] == series]

    def entitlement(self, name: str) -> Json:
        (found,) = (e for e in self.provider["entitlements"] if name in _owner(e))
        return _row(found)


def _row(value: Any) -> Json:
    assert isinstance(value, dict)
    return value


def _owner(row: Json) -> tuple[str | None, ...]:
    return row["agreementId"], row["purchaseId"]


def pair(*lives: Life | Rental) -> Pair:
    """Exports in which both sides, the numbers and the access agree. Names of lives must differ."""
    made = Pair(
        sandbox={"version": 1, "now": iso(NOW), "agreements": [], "payments": []},
        provider={
            "version": 2,
            "tenant": "film",
            "agreements": [],
            "purchases": [],
            "ledger": [],
            "receipts": [],
            "entitlements": [],
        },
    )
    numbers: Numbers = {"receipt": count(1), "credit_note": count(1)}
    for life in lives:
        if isinstance(life, Rental):
            _rent(made, life, numbers)
        else:
            _live(made, life, numbers)
    return made


def _live(made: Pair, life: Life, numbers: Numbers) -> None:
    began = datetime.combine(life.began, time(10), OSLO)
    ever_active = life.end in ("active", "stopped")
    theirs: Json = {
        "merchantSerialNumber": "123456",
        "agreementId": f"agr_{life.name}",
        "externalId": f"draft-{life.name}",
        "phoneNumber": "4790000001",
        "status": {"rejected": "STOPPED"}.get(life.end, life.end.upper()),
        "created": iso(began - timedelta(minutes=1)),
        "start": iso(began) if ever_active else None,
        "stop": iso(NOW) if life.end in ("stopped", "rejected") else None,
        "charges": [],
    }
    ours: Json = {
        "agreementId": life.name,
        "gatewayAgreementIds": [f"agr_{life.name}"],
        "issuer": "https://issuer.example",
        "subject": f"subject-{life.name}",
        "status": life.end,
        "anchorDate": life.began.isoformat() if ever_active else None,
        "interval": {"unit": life.unit, "count": life.count},
        "phases": [],
        "zone": "Europe/Oslo",
        "graceDays": life.grace_days,
        "paused": False,
        "accessEndsAt": None,
        "accessUntil": None,
        "charges": [],
    }
    made.sandbox["agreements"].append(theirs)
    made.provider["agreements"].append(ours)
    kept = 0
    for period in range(1, life.paid + 1 if ever_active else 1):
        refunds = life.refunds.get(period, ())
        _pay(made, life, theirs, ours, period, refunds, numbers)
        if sum(refunds) < life.price:
            kept = period
    if kept:
        ends = period_start(life.began, life.unit, life.count, kept + 1)
        grace = timedelta(days=life.grace_days if life.end == "active" else 0)
        ours["accessUntil"] = iso(midnight(ends + grace, OSLO))
        made.provider["entitlements"].append(
            {
                "agreementId": life.name,
                "purchaseId": None,
                "subject": ours["subject"],
                "productId": "film-month",
                "accessUntil": ours["accessUntil"],
            }
        )


def _charge_status(price: int, refunded: int) -> str:
    if not refunded:
        return "paid"
    return "partially_refunded" if refunded < price else "refunded"


def _pay(
    made: Pair,
    life: Life,
    theirs: Json,
    ours: Json,
    period: int,
    refunds: tuple[int, ...],
    numbers: Numbers,
) -> None:
    starts, ends = (period_start(life.began, life.unit, life.count, p) for p in (period, period + 1))
    at = iso(datetime.combine(starts, time(10), OSLO))
    attempt, charge_id = f"{life.name}-attempt-{period}", f"{life.name}-charge-{period}"
    refunded = sum(refunds)
    theirs["charges"].append(
        {
            "chargeId": attempt,
            "externalId": f"{life.name}.{period}",
            "type": "INITIAL" if period == 1 else "RECURRING",
            "due": starts.isoformat(),
            "amount": life.price,
            "currency": "NOK",
            "status": "CHARGED",
            "captured": life.price,
            "refunded": refunded,
            "cancelled": 0,
            "failureReason": None,
            "tries": [{"at": at, "ok": True, "reason": None}],
            "history": [{"event": "CAPTURE", "amount": life.price, "occurred": at, "success": True}]
            + [{"event": "REFUND", "amount": part, "occurred": at, "success": True} for part in refunds],
        }
    )
    ours["charges"].append(
        {
            "chargeId": charge_id,
            "period": period,
            "periodStart": starts.isoformat(),
            "periodEnd": ends.isoformat(),
            "dueDate": starts.isoformat(),
            "amount": life.price,
            "currency": "NOK",
            "status": _charge_status(life.price, refunded),
            "captured": life.price,
            "refunded": refunded,
            "attempts": [{"attemptId": attempt, "status": "captured"}],
        }
    )
    owner = {"agreementId": life.name, "purchaseId": None}
    _book(made, {**owner, "chargeId": charge_id, "currency": "NOK"}, period, at, life.price, refunds, numbers)


def _book(
    made: Pair, booking: Json, period: int | None, at: str, price: int, refunds: tuple[int, ...], numbers: Numbers
) -> None:
    receipt = next(numbers["receipt"])
    for kind, amount in (("capture", price), *(("refund", part) for part in refunds)):
        made.provider["ledger"].append({**booking, "period": period, "kind": kind, "amount": amount, "bookedAt": at})
        capture = kind == "capture"
        number = receipt if capture else next(numbers["credit_note"])
        made.provider["receipts"].append(
            {
                **booking,
                "receiptId": f"{'receipt' if capture else 'credit-note'}-{number}",
                "series": "receipt" if capture else "credit_note",
                "seller": "999999999",
                "number": number,
                "amount": amount,
                "issuedAt": at,
                "corrects": None if capture else f"receipt-{receipt}",
            }
        )


#: The gateway's word for the end of a payment, by the provider's for the purchase.
_PAYMENT_STATES = {"paid": "AUTHORIZED", "cancelled": "AUTHORIZED", "aborted": "ABORTED", "expired": "EXPIRED"}


def _rent(made: Pair, rental: Rental, numbers: Numbers) -> None:
    at, price = iso(rental.at), rental.price
    paid, refunded = rental.end == "paid", sum(rental.refunds)
    subject = rental.subject or f"subject-{rental.name}"
    if rental.end != "refused":
        reserved = rental.end in ("paid", "cancelled")
        moves = [("CREATED", price)]
        moves += [("AUTHORIZED", price)] if reserved else []
        moves += [("CAPTURED", price)] if paid else [("CANCELLED", price)] if reserved else []
        moves += [("REFUNDED", part) for part in rental.refunds]
        made.sandbox["payments"].append(
            {
                "merchantSerialNumber": "123456",
                "reference": f"{rental.name}-attempt",
                "phoneNumber": "4790000001",
                "state": _PAYMENT_STATES[rental.end],
                "created": at,
                "amount": price,
                "currency": "NOK",
                "authorized": price if reserved else 0,
                "captured": price if paid else 0,
                "refunded": refunded,
                "cancelled": price if reserved and not paid else 0,
                "history": [{"event": e, "amount": a, "occurred": at, "success": True} for e, a in moves],
            }
        )
    local = rental.at.astimezone(OSLO).replace(tzinfo=None) + timedelta(days=rental.days)
    until = iso(local.replace(tzinfo=OSLO)) if paid and refunded < price else None
    made.provider["purchases"].append(
        {
            "purchaseId": rental.name,
            "gateway": "vipps",
            "issuer": "https://issuer.example",
            "subject": subject,
            "productId": "film-rent",
            "status": rental.end,
            "zone": "Europe/Oslo",
            "accessDays": rental.days,
            "grantedAt": at if rental.end in ("paid", "cancelled") else None,
            "accessUntil": until,
            "endReason": None,
            "charges": [
                {
                    "chargeId": f"{rental.name}-charge",
                    "period": None,
                    "periodStart": rental.at.date().isoformat(),
                    "periodEnd": (rental.at.date() + timedelta(days=rental.days)).isoformat(),
                    "dueDate": rental.at.date().isoformat(),
                    "amount": price,
                    "currency": "NOK",
                    "status": _charge_status(price, refunded) if paid else "cancelled",
                    "captured": price if paid else 0,
                    "refunded": refunded,
                    "attempts": [{"attemptId": f"{rental.name}-attempt", "status": "captured"}],
                }
            ],
        }
    )
    owner = {"agreementId": None, "purchaseId": rental.name}
    if paid:
        booking = {**owner, "chargeId": f"{rental.name}-charge", "currency": "NOK"}
        _book(made, booking, None, at, price, rental.refunds, numbers)
    if until:
        row = {**owner, "subject": subject, "productId": "film-rent", "accessUntil": until}
        made.provider["entitlements"].append(row)
