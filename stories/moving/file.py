"""An old business: its agreements at Vipps and Stripe, the file that its system wrote, and what is wrong in that."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stories.clients import Sandbox

START, END = "2027-01-15", "2027-02-15"
BEGAN = "2026-05-15"
PRICE = 9900
OTHER_UNIT = "654321"
COLUMNS = (
    *("row_id", "user_id", "email", "provider", "provider_agreement_id", "product_payment_id"),
    *("price_minor", "currency", "period_start", "period_end", "next_charge_date"),
)
#: One row of so many is broken.
BROKEN_EVERY = 50

#: What is wrong with a row, and the code that it must be refused with. The first few are wrong at Vipps.
FAULTS: dict[str, str] = {
    "unknown at Vipps": "agreement_not_found",
    "of another sales unit": "agreement_not_found",
    "stopped": "not_active",
    "of another price": "price_differs",
    "of a price that varies": "price_varies",
    "in a campaign": "campaign_runs",
    "with a charge that waits": "charged_meanwhile",
    "paid once a year": "interval_differs",
    "second of a person": "two_agreements",
    "agreement twice": "agreement_twice",
    "row_id twice": "row_id_twice",
    "price with a comma": "price_invalid",
    "no such day": "date_invalid",
    "too few columns": "columns_differ",
    "next charge in a paid period": "charge_date_differs",
    "no such product": "product_unknown",
    "nobody's": "user_missing",
    "paid long ago": "period_over",
    "open quotation mark": "quote_open",
    "of a provider that nobody knows": "provider_unknown",
    "unknown at Stripe": "agreement_not_found",
}
#: Faults that take the row before with them, since nobody can tell which of the two is right.
PAIRS = frozenset({"second of a person", "agreement twice"})
_AT_VIPPS: dict[str, dict[str, Any]] = {
    "stopped": {"status": "STOPPED"},
    "of another price": {"amount": 12900},
    "of a price that varies": {"pricing": "VARIABLE"},
    "in a campaign": {"campaign": {"price": 4900, "end": "2027-04-01"}},
    "with a charge that waits": {"waiting": [END]},
    "paid once a year": {"interval": {"unit": "YEAR", "count": 1}},
    "paid long ago": {"charged": ["2026-11-01"]},
}


@dataclass
class Business:
    """So many rows, every fiftieth of them broken in one way after the other."""

    rows: int
    agreement_ids: list[str] = field(default_factory=list)

    def fault(self, number: int) -> str | None:
        """What is wrong with a row, counted from 0."""
        if number % BROKEN_EVERY != BROKEN_EVERY - 1:
            return None
        return list(FAULTS)[number // BROKEN_EVERY % len(FAULTS)]

    def is_right(self, number: int) -> bool:
        """Whether a row is to be applied."""
        following = self.fault(number + 1) if number + 1 < self.rows else None
        return self.fault(number) is None and following not in PAIRS

    def expected(self) -> Counter[str]:
        """How many rows must be refused with each code."""
        faults = [fault for n in range(self.rows) if (fault := self.fault(n))]
        return Counter(FAULTS[fault] for fault in faults for _ in range(2 if fault in PAIRS else 1))

    def right(self) -> set[str]:
        """The agreements that must be charged for the next period."""
        return {self.agreement_ids[n] for n in range(self.rows) if self.is_right(n)}

    def is_at_stripe(self, number: int) -> bool:
        """Whether a row is about a subscription of Stripe's: every other one that is right."""
        return number % 2 == 0 and self.is_right(number)

    async def open(self, sandbox: Sandbox, price: str) -> None:
        """Put every agreement where it was: at Vipps, charged by the old system, or at Stripe."""
        await sandbox.merchant(
            clientId="other",
            clientSecret="other",
            subscriptionKey="other",
            merchantSerialNumber=OTHER_UNIT,
            name="Another shop",
        )
        at_stripe = [n for n in range(self.rows) if self.is_at_stripe(n)]
        elsewhere = [n for n in range(self.rows) if self.fault(n) == "of another sales unit"]
        others = {*at_stripe, *elsewhere}
        at_vipps = [n for n in range(self.rows) if n not in others]
        subscriptions = [{"price": price, "start": BEGAN, "email": f"bruker{n}@film.example"} for n in at_stripe]
        made = dict(zip(at_vipps, await sandbox.plant([self._past(n) for n in at_vipps]), strict=True))
        made |= zip(elsewhere, await sandbox.plant([self._past(n) for n in elsewhere], OTHER_UNIT), strict=True)
        made |= zip(at_stripe, await sandbox.plant_subscriptions(subscriptions), strict=True)
        self.agreement_ids = [made[n] for n in range(self.rows)]

    def write(self, file: Path) -> None:
        """The old system's file: Windows-1252 and semicolons."""
        with file.open("w", encoding="windows-1252", newline="") as out:
            out.write(";".join(COLUMNS) + "\r\n")
            out.writelines(self._lines())

    def _past(self, number: int) -> dict[str, Any]:
        usual = {
            "phoneNumber": f"47{number:08}",
            "amount": PRICE,
            "start": BEGAN,
            "productName": "Film",
            "charged": [START],
        }
        return usual | _AT_VIPPS.get(self.fault(number) or "", {})

    def _lines(self) -> Iterator[str]:
        for number in range(self.rows):
            text = io.StringIO()
            csv.writer(text, delimiter=";", lineterminator="\r\n").writerow(self._values(number))
            yield self._spoilt(number, text.getvalue())

    def _values(self, number: int) -> list[str]:
        said = {
            "row_id": str(number),
            "user_id": f"bruker-ø-{number}",
            "email": f"bruker{number}@film.example",
            "provider": "vipps",
            "provider_agreement_id": self.agreement_ids[number],
            "product_payment_id": "film-month",
            "price_minor": str(PRICE),
            "currency": "NOK",
            "period_start": START,
            "period_end": END,
            "next_charge_date": END,
        }
        if self.is_at_stripe(number):
            said["provider"] = "stripe"
        wrong: dict[str, dict[str, str]] = {
            "unknown at Vipps": {"provider_agreement_id": f"agr_gone{number}"},
            "second of a person": {"user_id": f"bruker-ø-{number - 1}"},
            "agreement twice": {"provider_agreement_id": self.agreement_ids[number - 1]},
            "row_id twice": {"row_id": str(number - 1)},
            "price with a comma": {"price_minor": "99,00"},
            "no such day": {"period_end": "2027-02-30"},
            "next charge in a paid period": {"next_charge_date": "2027-02-01"},
            "no such product": {"product_payment_id": "film-never"},
            "nobody's": {"user_id": ""},
            "paid long ago": {"period_start": "2026-11-01", "period_end": "2026-12-01", "next_charge_date": ""},
            "of a provider that nobody knows": {"provider": "cash"},
            "unknown at Stripe": {"provider": "stripe", "provider_agreement_id": f"sub_gone{number}"},
        }
        return list((said | wrong.get(self.fault(number) or "", {})).values())

    def _spoilt(self, number: int, line: str) -> str:
        match self.fault(number):
            case "too few columns":
                return line.rpartition(";")[0] + "\r\n"
            case "open quotation mark":
                return f'"{line}'
            case _:
                return line
