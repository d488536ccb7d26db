"""Stripe in the control room: accounts, what payers and banks do, and events that are told once more."""

from __future__ import annotations

from functools import wraps
from typing import Any, Literal, TypedDict

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..stripe.browser import Browser
from ..stripe.refusals import Refused
from ..stripe.resources import Account, PaymentIntent, SetupIntent
from ..world import World
from .wire import Door, Endpoint, Problem, answer, nothing, read


class ConfirmOrder(Struct, rename="camel", forbid_unknown_fields=True):
    """The secret, the card to give (a name without `pm_card_`), and what its owner says to the bank."""

    client_secret: str
    card: str | None = None
    authentication: Literal["approve", "fail"] | None = None


class DisputeOrder(Struct, forbid_unknown_fields=True):
    """Which charge its payer's bank takes back."""

    charge: str
    reason: str = "fraudulent"
    amount: int | None = None


class Verdict(Struct, forbid_unknown_fields=True):
    """How a dispute ends."""

    outcome: Literal["won", "lost"]


class AccountList(TypedDict):
    """Every account."""

    accounts: list[Account]


class Confirmed(TypedDict):
    """What became of an intent; `error` is the bank's reason, if it said no."""

    id: str
    status: str
    paymentMethod: str | None
    error: str | None


class MoneyBackShown(TypedDict):
    """A dispute or a refund."""

    id: str
    status: str
    amount: int


class Resent(TypedDict):
    """An event that is told once more, to so many."""

    id: str
    type: str
    pendingWebhooks: int


class StripeControl:
    """The handlers below `/_sandbox/stripe`."""

    def __init__(self, world: World) -> None:
        self._stripe = world.stripe
        self._browser = Browser(world.stripe)

    def routes(self) -> list[BaseRoute]:
        """Where they are."""
        unknown, refused = {404: "There is no such thing"}, {409: "It cannot be done as things stand"}
        return [
            Door("GET", "/stripe/accounts", self.accounts, gives=AccountList),
            Door(
                "POST",
                "/stripe/accounts",
                self.save_account,
                body=Account,
                gives=Account,
                status=201,
                also={200: "Changed"},
            ),
            Door(
                "POST",
                "/stripe/confirm",
                _refusing(self.confirm),
                body=ConfirmOrder,
                gives=Confirmed,
                also=unknown | refused,
            ),
            Door(
                "POST",
                "/stripe/disputes",
                _refusing(self.dispute),
                body=DisputeOrder,
                gives=MoneyBackShown,
                status=201,
                also=unknown | refused,
            ),
            Door(
                "POST",
                "/stripe/disputes/{id}/decide",
                _refusing(self.decide),
                body=Verdict,
                gives=MoneyBackShown,
                also=unknown | refused,
            ),
            Door(
                "POST",
                "/stripe/refunds/{id}/fail",
                _refusing(self.fail_refund),
                gives=MoneyBackShown,
                also=unknown | refused,
            ),
            Door("POST", "/stripe/events/{id}/resend", self.resend, gives=Resent, also=unknown),
            Door("POST", "/stripe/idempotency-keys/forget", self.forget_keys, status=204),
        ]

    async def accounts(self, request: Request) -> Response:
        """Every account, keys included."""
        return answer({"accounts": self._stripe.books.accounts.all()})

    async def save_account(self, request: Request) -> Response:
        """Add an account, or change the one with this id."""
        account = await read(request, Account)
        is_new = self._stripe.books.accounts.find(account.id) is None
        try:
            self._stripe.books.accounts.save(account)
        except ValueError as problem:
            raise Problem(400, str(problem)) from None
        return answer(account, 201 if is_new else 200)

    async def confirm(self, request: Request) -> Response:
        """Do what a payer does in a browser: give a card, answer the bank."""
        order = await read(request, ConfirmOrder)
        intent = self._browser.intent(order.client_secret)
        if order.card is not None:
            intent = self._browser.give_card(order.client_secret, order.card)
        if order.authentication is not None and intent.status == "requires_action":
            intent = self._browser.authenticate(order.client_secret, order.authentication == "approve")
        return answer(_intent(intent))

    async def dispute(self, request: Request) -> Response:
        """A payer's bank takes money back."""
        order = await read(request, DisputeOrder)
        charge = self._stripe.books.charges.find(order.charge)
        if charge is None:
            raise Problem(404, "There is no such charge")
        dispute = self._stripe.money_back.dispute(charge, order.reason, order.amount)
        return answer({"id": dispute.id, "status": dispute.status, "amount": dispute.amount}, 201)

    async def decide(self, request: Request) -> Response:
        """The bank makes up its mind about a dispute."""
        order = await read(request, Verdict)
        dispute = self._stripe.books.disputes.find(request.path_params["id"])
        if dispute is None:
            raise Problem(404, "There is no such dispute")
        dispute = self._stripe.money_back.decide(dispute, order.outcome)
        return answer({"id": dispute.id, "status": dispute.status, "amount": dispute.amount})

    async def fail_refund(self, request: Request) -> Response:
        """The bank sends a refund back."""
        refund = self._stripe.books.refunds.find(request.path_params["id"])
        if refund is None:
            raise Problem(404, "There is no such refund")
        refund = self._stripe.money_back.fail_refund(refund)
        return answer({"id": refund.id, "status": refund.status, "amount": refund.amount})

    async def resend(self, request: Request) -> Response:
        """Tell everybody of an event once more, as the dashboard can."""
        event = self._stripe.books.events.find(request.path_params["id"])
        if event is None:
            raise Problem(404, "There is no such event")
        self._stripe.send(event, event.id)
        return answer({"id": event.id, "type": event.type, "pendingWebhooks": len(event.pending)})

    async def forget_keys(self, request: Request) -> Response:
        """Forget all idempotency keys, as a day of real time would."""
        self._stripe.api.forget_keys()
        return nothing()


def _refusing(endpoint: Endpoint) -> Endpoint:
    """Spell what Stripe's engines refuse as a problem of the control room."""

    @wraps(endpoint)
    async def spelled(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Refused as refused:
            status = refused.status if refused.status == 404 else 409
            raise Problem(status, refused.message) from None

    return spelled


def _intent(intent: PaymentIntent | SetupIntent) -> dict[str, Any]:
    error = intent.error or {}
    return {
        "id": intent.id,
        "status": intent.status,
        "paymentMethod": intent.payment_method,
        "error": error.get("decline_code") or error.get("code"),
    }
