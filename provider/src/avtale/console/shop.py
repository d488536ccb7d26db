"""The demo shop: what is on sale, the way through Vipps or Stripe and back, and what a customer has."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from avtale.console.forms import read_form
from avtale.console.house import ConsoleHouse
from avtale.console.look.page import send_on
from avtale.console.rooms import Room, Visit
from avtale.console.streams import Streams
from avtale.domain.agreement import AgreementStatus, Terms
from avtale.domain.charge import ChargeStatus
from avtale.domain.errors import Conflict, NotFound
from avtale.domain.periods import local_date, plus
from avtale.domain.purchase import PurchaseTerms
from avtale.entrance.sessions import Session
from avtale.service.buying import check_out
from avtale.service.checkout import CheckoutWish
from avtale.service.following import list_purchases, poll_purchase
from avtale.service.noting import said_why
from avtale.service.reading import (
    business_now,
    get_agreement,
    get_receipt,
    list_agreements,
    list_products,
    list_receipts,
    poll_agreement,
)
from avtale.service.renting import start_payment
from avtale.service.stopping import stop_agreement
from avtale.service.subscribing import StripeWish, is_at_stripe, start_subscription
from avtale.storage.receipts import Receipt

#: How many pictures there are for what is on sale.
ART_COUNT = 3

#: While somebody answers on the telephone, Vipps is asked this often at most (its own advice on polling).
ASK_SECONDS = 2.0

#: Agreements that still take money, or will.
_LIVE = frozenset({AgreementStatus.ACTIVE, AgreementStatus.STOPPING})


class Shop(Room):
    """The pages below `/shop`."""

    def __init__(self, house: ConsoleHouse, streams: Streams) -> None:
        super().__init__(house)
        self._streams = streams

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/", self.guarded(self.front), methods=["GET"]),
            Route("/products/{product_id}", self.guarded(self.product), methods=["GET"]),
            Route("/checkout", self.guarded(self.checkout), methods=["POST"]),
            Route("/card", self.guarded(self.card), methods=["POST"]),
            Route("/thanks", self.guarded(self.thanks), methods=["GET"]),
            Route("/account", self.guarded(self.account), methods=["GET"]),
            Route("/agreements/{agreement_id}/stop", self.guarded(self.stop), methods=["POST"]),
            Route("/receipts/{receipt_id}", self.guarded(self.receipt), methods=["GET"]),
            Route("/live/account", self.guarded(self.live_account), methods=["GET"]),
            Route("/live/thanks/{agreement_id}", self.guarded(self.live_thanks), methods=["GET"]),
            Route("/live/purchases/{purchase_id}", self.guarded(self.live_purchase), methods=["GET"]),
            Route("/live/clock", self.guarded(self.live_clock), methods=["GET"]),
        ]

    async def front(self, request: Request, visit: Visit) -> Response:
        """What is on sale."""
        values = {"products": await list_products(self.house.db, visit.tenant), "owned": await self._owned(visit)}
        return await self.draw(visit, "shop/front.html", {**values, "here": "/shop/"})

    async def product(self, request: Request, visit: Visit) -> Response:
        """One product with its terms, and the way to pay."""
        wanted = request.path_params["product_id"]
        on_sale = await list_products(self.house.db, visit.tenant)
        terms = next((one for one in on_sale if one.product_id == wanted), None)
        if terms is None:
            raise NotFound("this is not on sale")
        owned = wanted in await self._owned(visit)
        today = local_date(await business_now(self.house.db, visit.tenant), visit.tenant.zone)
        values = {
            "terms": terms,
            "owned": owned,
            "art": on_sale.index(terms) % ART_COUNT,
            "by_card": await self._sells_by_card(visit, terms),
            "next_payment": plus(today, terms.interval, 1) if isinstance(terms, Terms) else None,
            "here": f"/shop/products/{terms.product_id}",
        }
        return await self.draw(visit, "shop/product.html", values, forms_lead_to=self._gateway_origin())

    async def checkout(self, request: Request, visit: Visit) -> Response:
        """Start a checkout and send the customer to Vipps."""
        form = await read_form(request)
        session = visit.signed_in("/shop/")
        wish = CheckoutWish(
            product_id=form.get("product", ""),
            return_url=f"{visit.tenant.public_url.rstrip('/')}/shop/thanks",
            phone_number=session.phone_number,
        )
        try:
            started = await check_out(self.house.db, self.house.gateways, visit.tenant, session.person, wish)
        except Conflict as conflict:
            if conflict.code not in ("agreement_active", "purchase_active"):
                raise
            return send_on("/shop/account")
        return send_on(started.confirmation_url)

    async def card(self, request: Request, visit: Visit) -> Response:
        """Start a checkout at Stripe and send the customer to the page that stands in for its card form."""
        form = await read_form(request)
        session = visit.signed_in("/shop/")
        wish = StripeWish(product_id=form.get("product", ""))
        house, tenant = self.house, visit.tenant
        on_sale = await list_products(house.db, tenant)
        terms = next((one for one in on_sale if one.product_id == wish.product_id), None)
        if terms is None or not await self._sells_by_card(visit, terms):
            raise NotFound("this is not on sale")
        try:
            if isinstance(terms, Terms):
                begun = await start_subscription(house.db, house.gateways, tenant, session.person, wish)
                secret, back = begun.client_secret, f"agreementId={begun.agreement_id}"
            else:
                paying = await start_payment(house.db, house.gateways, tenant, session.person, wish)
                secret, back = paying.client_secret, f"purchaseId={paying.purchase_id}"
        except Conflict as conflict:
            if conflict.code not in ("agreement_active", "purchase_active", "checkout_ended"):
                raise
            return send_on("/shop/account")
        return_url = f"{tenant.public_url.rstrip('/')}/shop/thanks?{back}"
        query = urlencode({"client_secret": secret, "return_url": return_url})
        return send_on(f"{house.sandbox_url}/stripe/confirm?{query}")

    async def _sells_by_card(self, visit: Visit, terms: Terms | PurchaseTerms) -> bool:
        """Whether a product can be paid for with Stripe here: only where the sandbox's page plays its card form."""
        return self.house.sandbox_url is not None and await is_at_stripe(self.house.db, visit.tenant, terms)

    async def thanks(self, request: Request, visit: Visit) -> Response:
        """Where Vipps and Stripe send the customer back to, whatever was decided: of an agreement, or of a purchase."""
        if "purchaseId" in request.query_params:
            return await self._thanks_for_purchase(request, visit)
        agreement_id = _id(request.query_params.get("agreementId"), "agreement")
        session = visit.signed_in(f"/shop/thanks?agreementId={agreement_id}")
        values = await self._thanks(visit, session, agreement_id)
        here = f"/shop/thanks?agreementId={agreement_id}"
        return await self.draw(
            visit, "shop/thanks.html", {**values, "here": here}, forms_lead_to=self._gateway_origin()
        )

    async def _thanks_for_purchase(self, request: Request, visit: Visit) -> Response:
        purchase_id = _id(request.query_params.get("purchaseId"), "purchase")
        here = f"/shop/thanks?purchaseId={purchase_id}"
        values = await self._bought(visit, visit.signed_in(here), purchase_id)
        return await self.draw(
            visit, "shop/bought.html", {**values, "here": here}, forms_lead_to=self._gateway_origin()
        )

    async def account(self, request: Request, visit: Visit) -> Response:
        """What a customer has: agreements with their payments, and every receipt."""
        session = visit.signed_in("/shop/account")
        values = await self._account(visit, session)
        return await self.draw(visit, "shop/account.html", {**values, "here": "/shop/account"})

    async def stop(self, request: Request, visit: Visit) -> Response:
        """Stop an agreement of the customer's own; they may say why."""
        said = (await read_form(request)).get("why", "").strip()
        session = visit.signed_in("/shop/account")
        agreement_id = _id(request.path_params["agreement_id"], "agreement")
        db, gateways, why = self.house.db, self.house.gateways, said_why(said) if said else ""
        await stop_agreement(db, gateways, visit.tenant, session.person, agreement_id, why=why)
        return send_on("/shop/account")

    async def receipt(self, request: Request, visit: Visit) -> Response:
        """One receipt or credit note, as it is printed."""
        receipt_id = _id(request.path_params["receipt_id"], "receipt")
        here = f"/shop/receipts/{receipt_id}"
        person = visit.signed_in(here).person
        document = await get_receipt(self.house.db, visit.tenant, person, receipt_id)
        corrects = None
        if document.corrects_id is not None:
            corrects = await get_receipt(self.house.db, visit.tenant, person, document.corrects_id)
        values = {"document": document, "corrects": corrects, "period": _period(visit, document), "here": here}
        return await self.draw(visit, "receipt.html", values)

    async def live_account(self, request: Request, visit: Visit) -> Response:
        """`account`, kept true."""
        session = visit.signed_in("/shop/account")

        async def draw() -> tuple[str, str]:
            values = await self._account(visit, session)
            return self.pages.render("shop/account_live.html", self.shared(visit) | values), values["clock"]

        return self._streams.answer(draw)

    async def live_thanks(self, request: Request, visit: Visit) -> Response:
        """`thanks`, kept true."""
        agreement_id = _id(request.path_params["agreement_id"], "agreement")
        session = visit.signed_in("/shop/account")

        async def draw() -> tuple[str, str]:
            values = await self._thanks(visit, session, agreement_id)
            return self.pages.render("shop/thanks_live.html", self.shared(visit) | values), values["clock"]

        return self._streams.answer(draw, ASK_SECONDS)

    async def live_purchase(self, request: Request, visit: Visit) -> Response:
        """`thanks` for a purchase, kept true."""
        purchase_id = _id(request.path_params["purchase_id"], "purchase")
        session = visit.signed_in("/shop/account")

        async def draw() -> tuple[str, str]:
            values = await self._bought(visit, session, purchase_id)
            return self.pages.render("shop/bought_live.html", self.shared(visit) | values), values["clock"]

        return self._streams.answer(draw, ASK_SECONDS)

    async def live_clock(self, request: Request, visit: Visit) -> Response:
        """Only the time, for pages on which nothing else changes."""

        async def draw() -> tuple[str, str]:
            return "", visit.words.moment(await business_now(self.house.db, visit.tenant))

        return self._streams.answer(draw)

    async def _owned(self, visit: Visit) -> set[str]:
        """The products that the visitor has already."""
        if visit.session is None:
            return set()
        views = await list_agreements(self.house.db, visit.tenant, visit.session.person)
        bought = await list_purchases(self.house.db, visit.tenant, visit.session.person)
        now = await business_now(self.house.db, visit.tenant)
        running = {v.agreement.terms.product_id for v in views if v.agreement.status in _LIVE}
        return running | {v.purchase.terms.product_id for v in bought if v.access_until and v.access_until > now}

    async def _account(self, visit: Visit, session: Session) -> dict[str, Any]:
        views = await list_agreements(self.house.db, visit.tenant, session.person)
        bought = await list_purchases(self.house.db, visit.tenant, session.person)
        documents = await list_receipts(self.house.db, visit.tenant, session.person)
        now = await business_now(self.house.db, visit.tenant)
        return {
            "bought": [v for v in bought if v.purchase.granted_at is not None],
            "live": [v for v in views if v.agreement.status in _LIVE],
            "over": [v for v in views if v.agreement.status not in _LIVE],
            "documents": documents,
            "documents_of": _by_charge(documents),
            "now": now,
            "clock": visit.words.moment(now),
        }

    async def _thanks(self, visit: Visit, session: Session, agreement_id: UUID) -> dict[str, Any]:
        view = await get_agreement(self.house.db, visit.tenant, session.person, agreement_id)
        if view.agreement.status is AgreementStatus.PENDING:
            house = self.house
            view = await poll_agreement(house.db, house.gateways, visit.tenant, session.person, agreement_id)
        documents = await list_receipts(self.house.db, visit.tenant, session.person)
        mine = [one for one in documents if one.agreement_id == agreement_id]
        first = view.charges[0] if view.charges else None
        now = await business_now(self.house.db, visit.tenant)
        return {
            "view": view,
            "status": view.agreement.status.value,
            "receipt": mine[-1] if mine else None,
            "settled": first is not None and first.status is not ChargeStatus.OPEN,
            "now": now,
            "clock": visit.words.moment(now),
        }

    async def _bought(self, visit: Visit, session: Session, purchase_id: UUID) -> dict[str, Any]:
        house = self.house
        view = await poll_purchase(house.db, house.gateways, visit.tenant, session.person, purchase_id)
        documents = await list_receipts(house.db, visit.tenant, session.person)
        mine = [one for one in documents if one.purchase_id == purchase_id]
        now = await business_now(house.db, visit.tenant)
        return {
            "view": view,
            "status": view.purchase.status.value,
            "receipt": mine[-1] if mine else None,
            "now": now,
            "clock": visit.words.moment(now),
        }

    def _gateway_origin(self) -> str:
        """Where the form that pays leads to: in a demonstration the sandbox, else any secure address."""
        return self.house.gateway_origin


def _by_charge(documents: list[Receipt]) -> dict[UUID, list[Receipt]]:
    """The documents of each charge, oldest first."""
    found: dict[UUID, list[Receipt]] = defaultdict(list)
    for document in reversed(documents):
        found[document.charge_id].append(document)
    return found


def _period(visit: Visit, document: Receipt) -> str | None:
    """The days that a document is about, when it is about any."""
    start, end = document.content.get("periodStart"), document.content.get("periodEnd")
    if not start or not end:
        return None
    return visit.words.period(date.fromisoformat(start), date.fromisoformat(end))


def _id(text: str | None, what: str) -> UUID:
    try:
        return UUID(text or "")
    except ValueError as error:
        raise NotFound(f"there is no such {what}") from error
