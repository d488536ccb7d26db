"""Add a subscription from My page by the customer API's way through the browser, as any client of it does."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from avtale.console.forms import read_form
from avtale.console.look.page import send_on
from avtale.console.rooms import Room, Visit
from avtale.domain.agreement import Terms
from avtale.service.adding import Result, begin_adding, list_valid
from avtale.service.reading import list_products

#: As which client the shop sends its customers, and where it wants them back.
CLIENT_ID = "shop"
ADDED = "/shop/added"
NOT_ADDED = "/shop/not-added"
#: Where the way through the browser begins.
WAY = "/payment/vipps/agreement/add"

_SAID = {
    Result.FINISHED: ("It is yours", "Vipps takes the payments from now on. You can stop on My page or in the app."),
    Result.CANCELLED: ("You said no", "Nothing was added, and nothing is owed."),
    Result.FAILED: ("Nothing was added", "It took too long, or Vipps would not. Nothing is owed; you can try again."),
    Result.INITIATED: ("Vipps still waits for you", "It appears on My page as soon as you have approved it."),
    Result.UNKNOWN: ("Vipps has not said yet", "It appears on My page if it went through."),
}


class Adding(Room):
    """The pages `/shop/add` and where they lead back to."""

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/add", self.guarded(self.choose), methods=["GET"]),
            Route("/add", self.guarded(self.begin), methods=["POST"]),
            Route("/added", self.guarded(self.added), methods=["GET"]),
            Route("/not-added", self.guarded(self.not_added), methods=["GET"]),
        ]

    async def choose(self, request: Request, visit: Visit) -> Response:
        """What the customer could add."""
        session = visit.signed_in("/shop/add")
        held = {
            view.agreement.terms.product_id for view in await list_valid(self.house.db, visit.tenant, session.person)
        }
        on_sale = await list_products(self.house.db, visit.tenant)
        wares = [terms for terms in on_sale if isinstance(terms, Terms) and terms.product_id not in held]
        return await self.draw(
            visit, "shop/add.html", {"wares": wares, "here": "/shop/add"}, forms_lead_to=self.house.gateway_origin
        )

    async def begin(self, request: Request, visit: Visit) -> Response:
        """Begin a transaction, and send the customer on with it."""
        form = await read_form(request)
        session = visit.signed_in("/shop/add")
        transaction_id = await begin_adding(self.house.db, visit.tenant, session.person, form.get("product", ""))
        if transaction_id is None:
            return send_on("/shop/account")
        public = visit.tenant.public_url.rstrip("/")
        asked = {
            "clientId": CLIENT_ID,
            "returnUrl": f"{public}{ADDED}",
            "errorUrl": f"{public}{NOT_ADDED}",
            "transactionId": str(transaction_id),
        }
        return send_on(f"{WAY}?{urlencode(asked)}")

    async def added(self, request: Request, visit: Visit) -> Response:
        """With what the customer came back."""
        said = request.query_params.get("status", "")
        result = Result(said) if said in {one.value for one in Result} else Result.UNKNOWN
        return await self._tell(visit, *_SAID[result])

    async def not_added(self, request: Request, visit: Visit) -> Response:
        """Where the customer is sent when something is wrong with the system."""
        return await self._tell(visit, "Just a moment", "Vipps does not answer just now. Nothing is owed; try again.")

    async def _tell(self, visit: Visit, title: str, said: str) -> Response:
        return await self.draw(visit, "shop/added.html", {"title": title, "said": said, "here": "/shop/account"})
