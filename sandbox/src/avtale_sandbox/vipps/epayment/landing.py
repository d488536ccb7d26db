"""The addresses that lead a payer to a payment, and the token in them."""

from __future__ import annotations

from ...ids import Ids
from ..recurring import confirmation
from .resources import Payment

# On the real service a page on a host of its own.
PATH = "/pay"
QR_PATH = "/qr-image/v1"

# A token names an agreement or a payment; agreement ids have no colon.
_KIND = "payment:"


class NotAPayment(ValueError):
    """The token is not that of a payment of this sandbox."""


def token(ids: Ids, payment: Payment) -> str:
    """The token of a payment, which is always the same; its life is the payment's."""
    life = (payment.expires - payment.created) // 1000
    return confirmation.issue(ids, _KIND + payment.id, payment.created, life)


def read(ids: Ids, text: str) -> str:
    """The id of the payment that a token is about, over or not; raises NotAPayment."""
    try:
        claims = confirmation.read(ids, text)
    except confirmation.NotAConfirmation as problem:
        raise NotAPayment(str(problem)) from problem
    if not claims.sub.startswith(_KIND):
        raise NotAPayment("this token is not about a payment")
    return claims.sub.removeprefix(_KIND)


def page(base_url: str, text: str) -> str:
    """The address of the page at which a payment is answered."""
    return f"{base_url}{PATH}?token={text}"


def address(base_url: str, text: str, payment: Payment) -> str | None:
    """What the merchant gets as `redirectUrl`; None for a push, which needs none."""
    match payment.ask.flow:
        case "PUSH_MESSAGE":
            return None
        case "NATIVE_REDIRECT":
            return f"vipps://?token={text}"
        case "QR" if payment.ask.qr_format != "TEXT/TARGETURL":
            return f"{base_url}{QR_PATH}?token={text}"
    return page(base_url, text)
