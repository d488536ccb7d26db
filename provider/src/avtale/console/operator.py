"""The operator's pages: how the business stands today, and one charge with the way to give money back."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from avtale.console.forms import read_form
from avtale.console.house import ConsoleHouse
from avtale.console.look.page import send_on
from avtale.console.look.plot import month_plot
from avtale.console.rooms import Room, Visit
from avtale.console.streams import Streams
from avtale.domain.errors import Invalid, NotFound, Refusal
from avtale.domain.settlement import BookingKind
from avtale.service.browsing import purchase_history
from avtale.service.overseeing import Overview, inspect_charge, oversee
from avtale.service.reading import business_now
from avtale.service.refunding import refund_charge
from avtale.storage.overview import Flow

#: An overview counts many rows, and nobody needs it twice a second.
LOOK_SECONDS = 2.0
REASON_LENGTH_MAX = 100

_SUM = re.compile(r"([0-9]{1,9})(?:[.,]([0-9]{1,2}))?")


class Operator(Room):
    """The pages below `/operator`."""

    def __init__(self, house: ConsoleHouse, streams: Streams) -> None:
        super().__init__(house)
        self._streams = streams

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/", self.guarded(self.front), methods=["GET"]),
            Route("/live", self.guarded(self.live), methods=["GET"]),
            Route("/live/charges/{charge_id}", self.guarded(self.live_charge), methods=["GET"]),
            Route("/charges/{charge_id}", self.guarded(self.charge), methods=["GET"]),
            Route("/charges/{charge_id}/refund", self.guarded(self.refund), methods=["POST"]),
        ]

    async def front(self, request: Request, visit: Visit) -> Response:
        """Today's money, agreements by state, the last months, and what is stuck."""
        visit.operator("/operator/")
        values = self._values(await oversee(self.house.db, visit.tenant))
        return await self.draw(visit, "operator/front.html", {**values, "here": "/operator/"})

    async def live(self, request: Request, visit: Visit) -> Response:
        """`front`, kept true."""
        visit.operator("/operator/")

        async def draw() -> tuple[str, str]:
            values = self._values(await oversee(self.house.db, visit.tenant))
            part = self.pages.render("operator/front_live.html", self.shared(visit) | values)
            return part, visit.words.moment(values["now"])

        return self._streams.answer(draw, LOOK_SECONDS)

    async def charge(self, request: Request, visit: Visit) -> Response:
        """One charge: what it is of, every attempt, its documents, and a form to give money back."""
        charge_id = _id(request)
        visit.operator(f"/operator/charges/{charge_id}")
        return await self._charge_page(visit, charge_id)

    async def live_charge(self, request: Request, visit: Visit) -> Response:
        """`charge`, kept true."""
        charge_id = _id(request)
        visit.operator(f"/operator/charges/{charge_id}")

        async def draw() -> tuple[str, str]:
            view = await inspect_charge(self.house.db, visit.tenant, charge_id)
            part = self.pages.render("operator/charge_live.html", self.shared(visit) | {"view": view})
            return part, visit.words.moment(await business_now(self.house.db, visit.tenant))

        return self._streams.answer(draw)

    async def refund(self, request: Request, visit: Visit) -> Response:
        """Give back a part or all of a charge, in the operator's name."""
        charge_id = _id(request)
        session = visit.operator(f"/operator/charges/{charge_id}")
        form = await read_form(request)
        typed = {"amount": form.get("amount", ""), "reason": form.get("reason", "").strip()}
        try:
            await refund_charge(
                self.house.db,
                self.house.gateways,
                visit.tenant,
                charge_id,
                _minor(typed["amount"]),
                _reason(typed["reason"]),
                by=session.person,
            )
        except NotFound:
            raise
        except Refusal as refusal:
            problem = refusal.detail[:1].upper() + refusal.detail[1:]
            return await self._charge_page(visit, charge_id, problem=problem, typed=typed, status=400)
        return send_on(f"/operator/charges/{charge_id}")

    async def _charge_page(
        self,
        visit: Visit,
        charge_id: UUID,
        problem: str | None = None,
        typed: dict[str, str] | None = None,
        status: int = 200,
    ) -> Response:
        view = await inspect_charge(self.house.db, visit.tenant, charge_id)
        values = {
            "view": view,
            "history": await purchase_history(self.house.db, visit.tenant, charge_id),
            "problem": problem,
            "typed": typed,
            "here": f"/operator/charges/{charge_id}",
        }
        return await self.draw(visit, "operator/charge.html", values, status=status)

    def _values(self, seen: Overview) -> dict[str, Any]:
        return {
            "seen": seen,
            "now": seen.now,
            "today": _by_kind(seen.today),
            "lately": _by_kind(seen.lately),
            "plot": month_plot(seen.first_month, seen.months),
        }


def _by_kind(flows: tuple[Flow, ...]) -> dict[str, list[Flow]]:
    return {kind.value: [flow for flow in flows if flow.kind is kind] for kind in BookingKind}


def _minor(text: str) -> int:
    """What somebody typed, "49" or "49,50", as minor units. Raises Invalid (`invalid_amount`)."""
    found = _SUM.fullmatch("".join(text.split()))
    if found is None:
        raise Invalid("the amount must be a sum of money, such as 49 or 49.50", code="invalid_amount")
    return int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))


def _reason(text: str) -> str:
    if not text or len(text) > REASON_LENGTH_MAX or not text.isprintable():
        raise Invalid(f"say why, in at most {REASON_LENGTH_MAX} letters: it goes to Vipps and into the books")
    return text


def _id(request: Request) -> UUID:
    try:
        return UUID(request.path_params["charge_id"])
    except ValueError as error:
        raise NotFound("there is no such charge") from error
