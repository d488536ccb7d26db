"""Webhooks on the dashboard: who listens, and each delivery with its attempts, to be sent once more."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from typing import Any, get_args

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...vipps.webhooks.deliveries import Delivery, State
from .desk import PATH, Form, Room, back_of, paged


class Webhooks(Room):
    """Registrations and deliveries of all merchants, at Vipps and at Stripe."""

    title = "Webhooks"
    path = "webhooks"

    def routes(self) -> list[Route]:
        """The lists, and the replay."""
        return [
            Route("/webhooks", self.listed, methods=["GET"]),
            Route("/webhooks/replay", self.form(self.replay), methods=["POST"]),
        ]

    async def listed(self, request: Request) -> Response:
        """Who listens, and the deliveries that are asked for, newest first."""
        state, text = request.query_params.get("state", ""), request.query_params.get("text", "").strip()
        only = request.query_params.get("delivery", "")
        found = (
            one
            for one in self._deliveries(only)
            if state in ("", one.state) and (not text or text in one.event or text in one.url or text in one.body)
        )
        shown, pages = paged(request, found)
        registrations = self.world.registrations.all()
        endpoints = [one for one in self.world.stripe.endpoints.shelf.all() if one.is_enabled]
        values: dict[str, Any] = {
            "registrations": registrations,
            "endpoints": endpoints,
            "listening": {one.id for one in registrations} | {one.id for one in endpoints},
            "deliveries": shown,
            "pages": pages,
            "states": get_args(State),
            "asked_state": state,
            "text": text,
            "only": only,
        }
        return self.page(request, "webhooks.html", values)

    async def replay(self, request: Request, form: Form) -> Response:
        """Send a delivery once more."""
        number = form.get("number", "")
        asked, now = int(number) if number.isascii() and number.isdecimal() else 0, self.world.clock.now()
        try:
            again = self.world.deliveries.replay(asked, now) or self.world.stripe.deliveries.replay(asked, now)
        except LookupError:
            raise ValueError("Its registration is gone, and with it the secret to sign with.") from None
        if again is None:
            raise ValueError("This delivery is not kept any more.")
        self.world.settle_all()
        return self.desk.to(back_of(form, f"{PATH}/webhooks"), f"Sent once more as number {again.number}.")

    def _deliveries(self, only: str) -> Iterator[Delivery]:
        houses = (self.world.deliveries, self.world.stripe.deliveries)
        if not only:
            return merge(*(house.newest() for house in houses), key=lambda one: -one.number)
        number = int(only) if only.isascii() and only.isdecimal() and len(only) < 16 else 0
        return (one for house in houses if (one := house.get(number)) is not None)
