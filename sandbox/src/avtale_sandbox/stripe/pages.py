"""The pages that stand in for Stripe's own: a card form that confirms, the payer's bank, receipts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ..instants import iso
from ..pages.forms import NotAForm, pairs, read_form, same_origin
from ..pages.page import Pages, page_headers, safe_link, send_on, static_files
from ..phone import phrases
from .browser import Browser
from .cards import CARDS, MESSAGES, Card
from .house import Stripe
from .operations import CONFIRM, PREFIX
from .refusals import Refused
from .resources import PaymentIntent, SetupIntent

_OPEN = ("requires_payment_method", "requires_confirmation")
_AUTHENTICATION_FAILED = "You said no to your bank. Nothing was taken. You can try again, or take another card."


def _groups() -> list[dict[str, Any]]:
    """The cards to choose from, by what happens with them; each number once."""
    groups: dict[str, list[tuple[str, Card]]] = {"Goes well": [], "The bank asks first": [], "Goes wrong": []}
    numbers: set[str] = set()
    for name, card in CARDS.items():
        if card.number in numbers:
            continue
        numbers.add(card.number)
        wrong = card.code or card.renewal_decline or card.disputed
        group = "The bank asks first" if card.authentication else "Goes wrong" if wrong else "Goes well"
        groups[group].append((name, card))
    return [{"name": name, "cards": cards} for name, cards in groups.items()]


class StripePages:
    """The handlers of the pages."""

    def __init__(self, stripe: Stripe) -> None:
        self._stripe = stripe
        self._browser = Browser(stripe)
        self._pages = Pages(
            Path(__file__).parent / "templates", {"money": phrases.money}, path=PREFIX, groups=_groups()
        )

    def routes(self) -> list[BaseRoute]:
        """Where they are, to mount at `/stripe`; whoever mounts them commits the store before an answer leaves."""
        return [
            Route("/confirm", self.show, methods=["GET"]),
            Route("/confirm", self.answer, methods=["POST"]),
            Route("/receipts/{id}", self.receipt, methods=["GET"]),
            Route("/invoices/{id}", self.invoice, methods=["GET"]),
            Route("/invoices/{id}/pdf", self.invoice, methods=["GET"]),
            static_files(),
        ]

    async def show(self, request: Request) -> Response:
        """The card form, the bank's question, or what became of it."""
        asked = _query(request)
        try:
            return self._state(self._browser.intent(asked.get("client_secret", "")), asked)
        except Refused:
            text = "It may be cut off, come from another sandbox, or be from before a reset."
            return self._closed("bad", "This payment is not known here", text, status=404)

    async def answer(self, request: Request) -> Response:
        """A card is given, or the bank is answered."""
        if not same_origin(request):
            return self._closed("bad", "This form was not sent from here", "Open the payment again.", status=403)
        asked = _query(request)
        secret, return_url = asked.get("client_secret", ""), asked.get("return_url")
        try:
            form = dict(await read_form(request))
            intent = self._browser.intent(secret)
            if "answer" in form and intent.status == "requires_action":
                intent = self._browser.authenticate(secret, form["answer"] == "approve")
                if intent.status == "requires_payment_method" and return_url is None and intent.return_url:
                    # The shop's own page had asked for the bank only: it hears that it went wrong.
                    return send_on(_back(intent, intent.return_url))
            elif "card" in form and intent.status in _OPEN:
                intent = self._browser.give_card(secret, form["card"], return_url)
        except (Refused, NotAForm):
            return RedirectResponse(f"{CONFIRM}?{request.url.query}", 303, headers=page_headers())
        back = return_url or intent.return_url
        if intent.status not in (*_OPEN, "requires_action") and back and safe_link(back):
            return send_on(_back(intent, back))
        return RedirectResponse(f"{CONFIRM}?{request.url.query}", 303, headers=page_headers())

    async def receipt(self, request: Request) -> Response:
        """What was paid."""
        charge = self._stripe.books.charges.find(request.path_params["id"])
        if charge is None or not charge.captured:
            return self._closed("bad", "There is no such receipt", "It may be from before a reset.", status=404)
        card = CARDS[charge.card]
        rows = [
            ("Paid", phrases.money(charge.amount_captured, charge.currency.upper())),
            ("On", iso((charge.captured_at or charge.created) * 1000)),
            ("With", f"{card.brand} ·· {card.last4}"),
            ("Reference", charge.id),
        ]
        if charge.amount_refunded:
            rows.insert(1, ("Given back", phrases.money(charge.amount_refunded, charge.currency.upper())))
        return self._paper("Receipt", charge.account, rows)

    async def invoice(self, request: Request) -> Response:
        """What is owed, and whether it was paid; the sandbox makes no PDF, the page can be printed."""
        invoice = self._stripe.books.invoices.find(request.path_params["id"])
        if invoice is None or invoice.status == "draft":
            return self._closed("bad", "There is no such invoice", "It may be a draft still.", status=404)
        currency = invoice.currency.upper()
        rows = [
            *((line.description, phrases.money(line.amount, currency)) for line in invoice.lines),
            ("Total", phrases.money(invoice.total, currency)),
            ("Status", invoice.status),
            ("Number", f"{invoice.prefix}-{invoice.sequence:04d}" if invoice.sequence else invoice.id),
        ]
        return self._paper("Invoice", invoice.account, rows)

    def _state(self, intent: PaymentIntent | SetupIntent, asked: Mapping[str, str]) -> Response:
        merchant = self._stripe.books.accounts.at(intent.account).name
        back = safe_link(asked.get("return_url") or intent.return_url or "")
        if intent.status in ("succeeded", "requires_capture"):
            text = f"{merchant} has your card." if isinstance(intent, SetupIntent) else f"{merchant} has your payment."
            return self._closed("good", "Done", text, back=back and _back(intent, back), merchant=merchant)
        if intent.status == "canceled":
            return self._closed("wait", "This payment was given up", "Nothing was taken.", back=back, merchant=merchant)
        values = {
            "merchant": merchant,
            "what": self._what(intent),
            "amount": intent.amount if isinstance(intent, PaymentIntent) else None,
            "currency": intent.currency.upper() if isinstance(intent, PaymentIntent) else "",
            "query": urlencode(asked),
            "problem": _problem(intent),
            "back": back,
        }
        if intent.status == "requires_action":
            card = CARDS[self._stripe.books.methods.at(intent.payment_method or "").card]
            return self._pages.answer("bank.html", values | {"card": card}, leads_to=back)
        return self._pages.answer("confirm.html", values, leads_to=back)

    def _what(self, intent: PaymentIntent | SetupIntent) -> str:
        """What the money is for, as well as it is known."""
        books = self._stripe.books
        if isinstance(intent, SetupIntent):
            return "Keep a card for later payments"
        invoice = books.invoices.find(intent.invoice or "")
        if invoice is not None:
            return ", ".join(books.products.at(line.product).name for line in invoice.lines)
        return intent.description or "Payment"

    def _paper(self, heading: str, account: str, rows: list[tuple[str, str]]) -> Response:
        merchant = self._stripe.books.accounts.at(account).name
        return self._pages.answer("paper.html", {"heading": heading, "merchant": merchant, "rows": rows})

    def _closed(
        self, tone: str, heading: str, text: str, *, back: str | None = None, merchant: str = "", status: int = 200
    ) -> Response:
        values = {"tone": tone, "heading": heading, "text": text, "back": back, "merchant": merchant}
        return self._pages.answer("done.html", values, status=status)


def _problem(intent: PaymentIntent | SetupIntent) -> str | None:
    """Why the last try went wrong, in words for its payer."""
    if intent.error is None:
        return None
    if intent.error["decline_code"] is None and intent.error["code"].endswith("authentication_failure"):
        return _AUTHENTICATION_FAILED
    return MESSAGES.get(intent.error["decline_code"] or "", MESSAGES["generic_decline"])


def _back(intent: PaymentIntent | SetupIntent, url: str) -> str:
    """The shop's address with what Stripe's scripts add to it."""
    name = "setup_intent" if isinstance(intent, SetupIntent) else "payment_intent"
    failed = intent.status in ("requires_payment_method", "canceled")
    more = {
        name: intent.id,
        f"{name}_client_secret": intent.client_secret,
        "redirect_status": "failed" if failed else "succeeded",
    }
    parts = urlsplit(url)
    query = f"{parts.query}&{urlencode(more)}" if parts.query else urlencode(more)
    return urlunsplit(parts._replace(query=query))


def _query(request: Request) -> dict[str, str]:
    try:
        asked = dict(pairs(request.scope["query_string"]))
    except NotAForm:
        return {}
    return {name: asked[name] for name in ("client_secret", "return_url") if name in asked}
