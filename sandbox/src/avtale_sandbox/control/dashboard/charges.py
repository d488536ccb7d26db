"""Charges on the dashboard: all of them in one list, and orders for charges to fail."""

from __future__ import annotations

from typing import Any, cast, get_args

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...failures import Failure
from ...vipps.recurring.resources import Charge, FailureReason
from ...vipps.recurring.states import ChargeStatus
from .desk import PATH, Form, Room, paged


class Charges(Room):
    """Charges of all merchants."""

    title = "Charges"
    path = "charges"

    def routes(self) -> list[Route]:
        """The list, and the forms of failure."""
        return [
            Route("/charges", self.listed, methods=["GET"]),
            Route("/charges/failures", self.form(self.order), methods=["POST"]),
            Route("/charges/failures/forget", self.form(self.forget), methods=["POST"]),
        ]

    async def listed(self, request: Request) -> Response:
        """The charges that are asked for, newest first."""
        status, text = request.query_params.get("status", ""), request.query_params.get("text", "").strip()
        found = (
            one
            for one in self.world.recurring.shelf.newest_charges()
            if status in ("", one.status) and _is_about(one, text)
        )
        shown, pages = paged(request, found)
        values = {
            "charges": shown,
            "pages": pages,
            "statuses": [one for one in get_args(ChargeStatus) if one != "PROCESSING"],
            "status": status,
            "text": text,
            "failures": self.world.failures.all(),
            "reasons": get_args(FailureReason),
            "people": self.world.people.all(),
        }
        return self.page(request, "charges.html", values)

    async def order(self, request: Request, form: Form) -> Response:
        """Let charges fail."""
        tries = form.get("tries", "").strip()
        if tries and not (tries.isascii() and tries.isdecimal() and len(tries) < 6):
            raise ValueError("The number of tries must be a whole number.")
        named: dict[str, Any] = {name: form.get(name, "").strip() or None for name in ("charge_id", "phone_number")}
        reason = form.get("reason", "")
        if reason not in get_args(FailureReason):
            raise ValueError("There is no such reason.")
        count = int(tries) if tries else None
        self.world.failures.add(Failure(tries=count, reason=cast(FailureReason, reason), **named))
        return self.desk.to(f"{PATH}/charges#failing", "Ordered.")

    async def forget(self, request: Request, form: Form) -> Response:
        """Let them fail no more."""
        self.world.failures.delete(form.get("id", ""))
        return self.desk.to(f"{PATH}/charges#failing", "Taken back.")


def _is_about(charge: Charge, text: str) -> bool:
    values = (charge.id, charge.agreement_id, charge.external_id, charge.description, charge.due)
    return not text or any(text.casefold() in value.casefold() for value in values if value)
