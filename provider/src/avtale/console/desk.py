"""The operator's desk: lists to search, an agreement's whole history, what waits and its verbs, figures, the log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from avtale.console.forms import read_form
from avtale.console.look.columns import Columns, columns
from avtale.console.look.page import send_on
from avtale.console.rooms import Room, Visit
from avtale.domain.agreement import AgreementStatus
from avtale.domain.errors import NotFound, Refusal
from avtale.service import browsing, mending
from avtale.service.browsing import Figures, next_page
from avtale.service.noting import ACTS_SHOWN, list_acts, said_why
from avtale.service.stopping import stop_agreement

SEARCH_LENGTH_MAX = 200
CHARGE_STATES = ("open", "paid", "partially_refunded", "refunded", "failed", "cancelled", "waived", "parked")


class Desk(Room):
    """More pages below `/operator`."""

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/agreements", self.guarded(self.agreements), methods=["GET"]),
            Route("/agreements/{id}", self.guarded(self.agreement), methods=["GET"]),
            Route("/agreements/{id}/{verb}", self.guarded(self.mend_agreement), methods=["POST"]),
            Route("/charges", self.guarded(self.charges), methods=["GET"]),
            Route("/charges/{id}/{verb}", self.guarded(self.mend_charge), methods=["POST"]),
            Route("/receipts", self.guarded(self.receipts), methods=["GET"]),
            Route("/waiting", self.guarded(self.waiting), methods=["GET"]),
            Route("/waiting/calls", self.guarded(self.send_again), methods=["POST"]),
            Route("/waiting/refunds/{id}/{verb}", self.guarded(self.mend_refund), methods=["POST"]),
            Route("/waiting/events/{id}/{verb}", self.guarded(self.settle_event), methods=["POST"]),
            Route("/figures", self.guarded(self.figures), methods=["GET"]),
            Route("/log", self.guarded(self.log), methods=["GET"]),
        ]

    async def agreements(self, request: Request, visit: Visit) -> Response:
        """Agreements, newest first, those of a person or of a state."""
        visit.operator("/operator/agreements")
        said, chosen, before = _query(request, tuple(status.value for status in AgreementStatus))
        status = AgreementStatus(chosen) if chosen else None
        rows = await browsing.search_agreements(self.house.db, visit.tenant, said, status, before)
        values = {"rows": rows, "states": [status.value for status in AgreementStatus]}
        return await self._list(visit, "agreements", values, said, chosen, next_page(rows))

    async def charges(self, request: Request, visit: Visit) -> Response:
        """Charges, the latest due first."""
        visit.operator("/operator/charges")
        said, chosen, before = _query(request, CHARGE_STATES)
        rows = await browsing.search_charges(self.house.db, visit.tenant, said, chosen or None, before)
        return await self._list(
            visit, "charges", {"rows": rows, "states": CHARGE_STATES}, said, chosen, next_page(rows)
        )

    async def receipts(self, request: Request, visit: Visit) -> Response:
        """Receipts and credit notes, newest first."""
        visit.operator("/operator/receipts")
        said, _, before = _query(request, ())
        rows = await browsing.search_receipts(self.house.db, visit.tenant, said, before)
        return await self._list(visit, "receipts", {"rows": rows, "states": ()}, said, "", next_page(rows))

    async def agreement(self, request: Request, visit: Visit) -> Response:
        """One agreement: its terms, its charges, its whole history on one line of time, and what can be done."""
        agreement_id = _id(request)
        visit.operator(f"/operator/agreements/{agreement_id}")
        return await self._file(visit, agreement_id)

    async def mend_agreement(self, request: Request, visit: Visit) -> Response:
        """Stop an agreement, bill it again, or read it at the gateway, in the operator's name."""
        agreement_id = _id(request)
        here = f"/operator/agreements/{agreement_id}"
        session, db, tenant = visit.operator(here), self.house.db, visit.tenant
        form = await read_form(request)
        by = session.person
        try:
            why = said_why(form.get("why", ""))
            match request.path_params["verb"]:
                case "stop":
                    immediate = form.get("when") == "now"
                    await stop_agreement(
                        *(db, self.house.gateways, tenant, None, agreement_id), immediate=immediate, by=by, why=why
                    )
                case "resume":
                    await mending.resume_billing(db, tenant, agreement_id, by, why)
                case "take-over":
                    await mending.take_over_price(db, tenant, agreement_id, by, why)
                case "read":
                    await mending.read_again(db, tenant, agreement_id, by, why)
                case _:
                    raise NotFound("there is no such verb")
        except NotFound:
            raise
        except Refusal as refusal:
            return await self._file(visit, agreement_id, problem=_sentence(refusal), status=400)
        return send_on(here)

    async def mend_charge(self, request: Request, visit: Visit) -> Response:
        """Try a parked charge again, or give it up."""
        charge_id = _id(request)
        session = visit.operator("/operator/waiting")
        verbs = {"again": mending.try_charge_again, "give-up": mending.give_charge_up}
        verb = verbs.get(request.path_params["verb"])
        if verb is None:
            raise NotFound("there is no such verb")
        db, tenant = self.house.db, visit.tenant
        return await self._mend(request, visit, lambda why: verb(db, tenant, charge_id, session.person, why))

    async def waiting(self, request: Request, visit: Visit) -> Response:
        """What waits for an operator, or has no answer yet."""
        visit.operator("/operator/waiting")
        return await self._waiting(visit)

    async def send_again(self, request: Request, visit: Visit) -> Response:
        """Make calls without an answer again now."""
        session = visit.operator("/operator/waiting")
        db, tenant = self.house.db, visit.tenant
        return await self._mend(request, visit, lambda why: mending.send_again(db, tenant, session.person, why))

    async def settle_event(self, request: Request, visit: Visit) -> Response:
        """Look at a parked webhook again, or let it be."""
        event_id = _id(request)
        session = visit.operator("/operator/waiting")
        if request.path_params["verb"] not in ("again", "dismiss"):
            raise NotFound("there is no such verb")
        db, tenant, dismiss = self.house.db, visit.tenant, request.path_params["verb"] == "dismiss"

        async def deed(why: str) -> None:
            await mending.settle_event(db, tenant, event_id, session.person, why, dismiss=dismiss)

        return await self._mend(request, visit, deed)

    async def mend_refund(self, request: Request, visit: Visit) -> Response:
        """Give back once more what came to nothing, or let it be."""
        refund_id = _id(request)
        session = visit.operator("/operator/waiting")
        db, gateways, tenant, verb = self.house.db, self.house.gateways, visit.tenant, request.path_params["verb"]
        if verb not in ("again", "dismiss"):
            raise NotFound("there is no such verb")

        async def deed(why: str) -> None:
            if verb == "again":
                await mending.refund_again(db, gateways, tenant, refund_id, session.person, why)
            else:
                await mending.let_refund_be(db, tenant, refund_id, session.person, why)

        return await self._mend(request, visit, deed)

    async def figures(self, request: Request, visit: Visit) -> Response:
        """Twelve months of agreements, recurring revenue, failures and refunds."""
        visit.operator("/operator/figures")
        seen = await browsing.show_figures(self.house.db, visit.tenant)
        values = {"seen": seen, "plots": _plots(seen), "nav": "figures", "here": "/operator/figures"}
        return await self.draw(visit, "operator/figures.html", values)

    async def log(self, request: Request, visit: Visit) -> Response:
        """What operators and administrators did, newest first, or what was searched for of it."""
        visit.operator("/operator/log")
        said, _, before = _query(request, ())
        rows = await list_acts(self.house.db, visit.tenant, before, said)
        following = rows[-1].id if len(rows) == ACTS_SHOWN else None
        return await self._list(visit, "log", {"rows": rows, "states": ()}, said, "", following)

    async def _list(
        self, visit: Visit, name: str, values: dict[str, Any], said: str, chosen: str, following: UUID | None
    ) -> Response:
        here = f"/operator/{name}"
        shared = {"said": said, "chosen": chosen, "following": following, "nav": name, "here": here}
        return await self.draw(visit, f"operator/{name}.html", {**values, **shared})

    async def _file(self, visit: Visit, agreement_id: UUID, problem: str | None = None, status: int = 200) -> Response:
        opened = await browsing.open_file(self.house.db, visit.tenant, agreement_id)
        values = {
            "file": opened,
            "problem": problem,
            "nav": "agreements",
            "here": f"/operator/agreements/{agreement_id}",
        }
        return await self.draw(visit, "operator/agreement.html", values, status=status)

    async def _waiting(self, visit: Visit, problem: str | None = None, status: int = 200) -> Response:
        seen = await browsing.what_waits(self.house.db, visit.tenant)
        values = {"seen": seen, "problem": problem, "nav": "waiting", "here": "/operator/waiting"}
        return await self.draw(visit, "operator/waiting.html", values, status=status)

    async def _mend(self, request: Request, visit: Visit, deed: Callable[[str], Awaitable[object]]) -> Response:
        """Do it for the reason that the form has; without one nothing is done."""
        form = await read_form(request)
        try:
            await deed(said_why(form.get("why", "")))
        except NotFound:
            raise
        except Refusal as refusal:
            return await self._waiting(visit, problem=_sentence(refusal), status=400)
        return send_on("/operator/waiting")


def _plots(seen: Figures) -> dict[str, Columns]:
    months = seen.months
    return {
        "active": columns([(m.month, m.active, 0) for m in months]),
        "revenue": columns([(m.month, m.revenue, 0) for m in months], unit=100),
        "moved": columns([(m.month, m.began, m.ended) for m in months]),
        "tried": columns([(m.month, m.recovered, m.failed) for m in months]),
        "refunded": columns([(m.month, m.refunded, 0) for m in months], unit=100),
    }


def _query(request: Request, states: tuple[str, ...]) -> tuple[str, str, UUID | None]:
    """What was searched for, which state was chosen, and behind which row to go on."""
    said = " ".join(request.query_params.get("q", "").split())[:SEARCH_LENGTH_MAX].replace("\0", "")
    chosen = request.query_params.get("state", "")
    return said, chosen if chosen in states else "", _before(request)


def _before(request: Request) -> UUID | None:
    try:
        return UUID(request.query_params.get("before", ""))
    except ValueError:
        return None


def _id(request: Request) -> UUID:
    try:
        return UUID(request.path_params["id"])
    except ValueError as error:
        raise NotFound("there is nothing at this address") from error


def _sentence(refusal: Refusal) -> str:
    return refusal.detail[:1].upper() + refusal.detail[1:]
