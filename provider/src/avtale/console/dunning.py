"""The operator's page about dunning: who has not paid and why, what was advised, what is tried next, and what then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from avtale.console.house import ConsoleHouse
from avtale.console.look.words import Words
from avtale.console.rooms import Room, Visit
from avtale.console.streams import Streams
from avtale.domain.agreement import AgreementStatus
from avtale.domain.dunning import Advice, DunningEnd, DunningRules, DunningStatus
from avtale.domain.gateway import GatewayName
from avtale.service.dunning import DunningView, list_dunning
from avtale.service.reading import business_now

ROWS_SHOWN = 50
#: Nobody is tried, or given up, more often than every few seconds.
LOOK_SECONDS = 2.0

ADVICE = {
    Advice.ASK_TO_PAY: "The customer sees to card or money",
    Advice.RAISE_LIMIT: "The customer allows a higher amount in the app",
    Advice.NEW_AGREEMENT: "The customer makes a new agreement",
    Advice.WAIT: "Wait: nobody here can do anything",
}
STATUSES = {DunningStatus.OPEN: "Now", DunningStatus.RECOVERED: "Paid after all", DunningStatus.LOST: "Never paid"}
BADGES = {
    DunningStatus.OPEN: ("Not paid yet", "bad"),
    DunningStatus.RECOVERED: ("Paid after all", "good"),
    DunningStatus.LOST: ("Never paid", ""),
}


@dataclass(frozen=True, slots=True)
class Course:
    """A dunning's course in sentences: what was tried, what is tried next, and what happens when that fails too."""

    tried: str
    next_try: str
    then: str


class DunningRoom(Room):
    """The page `/operator/dunning`."""

    def __init__(self, house: ConsoleHouse, streams: Streams) -> None:
        super().__init__(house)
        self._streams = streams

    def routes(self) -> list[Route]:
        """Where it is."""
        return [
            Route("/dunning", self.guarded(self.every), methods=["GET"]),
            Route("/live/dunning", self.guarded(self.live), methods=["GET"]),
        ]

    async def every(self, request: Request, visit: Visit) -> Response:
        """Agreements in dunning, the oldest charge first, or those that were."""
        visit.operator("/operator/dunning")
        return await self.draw(visit, "operator/dunning.html", await self._values(request, visit))

    async def live(self, request: Request, visit: Visit) -> Response:
        """`every`, kept true."""
        visit.operator("/operator/dunning")

        async def draw() -> tuple[str, str]:
            now = await business_now(self.house.db, visit.tenant)
            values = self.shared(visit) | await self._values(request, visit) | {"now": now}
            return self.pages.render("operator/dunning_live.html", values), visit.words.moment(now)

        return self._streams.answer(draw, LOOK_SECONDS)

    async def _values(self, request: Request, visit: Visit) -> dict[str, Any]:
        said, after = request.query_params.get("state", ""), _after(request)
        chosen = DunningStatus(said) if said in set(DunningStatus) else DunningStatus.OPEN
        found = await list_dunning(self.house.db, visit.tenant, chosen, after, ROWS_SHOWN)
        return {
            "after": after,
            "rows": [(view, course(view, visit.tenant.policy.dunning, visit.words)) for view in found],
            "following": found[-1].charge.id if len(found) == ROWS_SHOWN else None,
            "chosen": chosen,
            "statuses": STATUSES,
            "badges": BADGES,
            "advice": ADVICE,
            "nav": "dunning",
            "here": "/operator/dunning",
        }


def course(view: DunningView, rules: DunningRules, words: Words) -> Course:
    """What a dunning's tries are, and were. Each order is tried by the payment company, which alone sees each try."""
    dunning, gateway = view.dunning, view.agreement.gateway.value.title()
    failed = f"{dunning.orders} {'order' if dunning.orders == 1 else 'orders'} failed for good"
    if dunning.status is not DunningStatus.OPEN:
        stopped = view.agreement.status is not AgreementStatus.ACTIVE
        held = "held" if view.agreement.paused_at is not None else "active"
        return Course(failed if dunning.orders else "1 order", "", f"The agreement is {'stopped' if stopped else held}")
    if view.agreement.status is not AgreementStatus.ACTIVE:
        return Course("1 order", "As long as its order is open", "Nothing more: the agreement is stopped already")
    if view.agreement.gateway is not GatewayName.VIPPS:
        return Course(
            "1 invoice, and its first try failed",
            "When the account at Stripe says so",
            "What the account at Stripe says",
        )
    in_all = rules.orders + 1
    ends = "stopped" if rules.end is DunningEnd.STOP else "held until somebody resumes it"
    end = f"The agreement is {ends}" if view.charge.period is not None else "The charge is given up; nothing is stopped"
    if dunning.next_order_on is not None:
        left = in_all - dunning.orders - 1
        return Course(failed, f"A new order on {words.day(dunning.next_order_on)}", _then(left, rules.wait_days, end))
    present, until = dunning.orders + 1, view.last_try_until
    tries = f"Twice a day until {words.last_day(until)}" if until is not None else "Twice a day"
    tried = f"Order {present} of {max(in_all, present)}, tried by {gateway}"
    left = in_all - present if view.charge.period is not None else 0
    return Course(tried, tries, _then(left, rules.wait_days, end))


def _then(orders_left: int, wait_days: int, end: str) -> str:
    if orders_left <= 0:
        return end
    more = "One more order" if orders_left == 1 else f"{orders_left} more orders, each"
    days = "a day" if wait_days == 1 else f"{wait_days} days"
    said = f"{more}, {days}" if orders_left == 1 else f"{more} {days}"
    return f"{said} after the last. In the end: {end[:1].lower()}{end[1:]}"


def _after(request: Request) -> UUID | None:
    try:
        return UUID(request.query_params.get("after", ""))
    except ValueError:
        return None
