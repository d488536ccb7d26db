"""What the sandbox's export says of Stripe, read into the same plain rows as what it says of Vipps."""

from __future__ import annotations

from datetime import timedelta

from stories.exports_rows import GatewayAgreement, GatewayCharge, GatewayPayment
from stories.nodes import Node

#: Stripe's words for a subscription that somebody pays for, or should: all are the provider's `active`.
_STATES = {"incomplete": "PENDING", "incomplete_expired": "EXPIRED", "canceled": "STOPPED"}
_PAGE_LIFE = timedelta(hours=23)
#: A payment of its own that is not taken waits until it is given up.
_PAYMENTS = {"canceled": "TERMINATED", "succeeded": "AUTHORIZED"}


def read_subscriptions(root: Node) -> tuple[GatewayAgreement, ...]:
    """Every subscription, as an agreement whose charges are its invoices."""
    if not root.has("stripe"):
        return ()
    return tuple(_subscription(n) for n in root.field("stripe").items("subscriptions"))


def read_intents(root: Node) -> tuple[GatewayPayment, ...]:
    """Every payment that stands alone."""
    if not root.has("stripe"):
        return ()
    return tuple(_payment(n) for n in root.field("stripe").items("payments"))


def _subscription(node: Node) -> GatewayAgreement:
    invoices = [n for n in node.items("invoices") if n.text("status") != "draft" and n.whole("amount") > 0]
    # Free days have begun once there is a card that can pay what follows them.
    free = any(n.whole("amount") == 0 and n.text("status") == "paid" for n in node.items("invoices"))
    free = free and node.has("paymentMethod")
    began = free or any(n.text("status") == "paid" for n in invoices)
    return GatewayAgreement(
        merchant=node.text("account"),
        agreement_id=node.text("subscription"),
        external_id=None,
        status="EXPIRED" if not began and _lapsed(node) else _STATES.get(node.text("status"), "ACTIVE"),
        start=node.instant("created") if began else None,
        stop=node.maybe_instant("endedAt"),
        charges=tuple(_invoice(n) for n in sorted(invoices, key=lambda n: n.text("periodStart"))),
        company="stripe",
    )


def _lapsed(node: Node) -> bool:
    """Whether one for which nobody left a card was ended when its payer's page was over, as Stripe ends those for which
    money is due."""
    ended = node.maybe_instant("endedAt")
    return ended is not None and ended - node.instant("created") >= _PAGE_LIFE


def _invoice(node: Node) -> GatewayCharge:
    """An invoice with the money of its payment. What a bank took back is given back once the dispute is lost."""
    captured = refunded = history_captured = history_refunded = 0
    captures: list[Node] = []
    if node.has("payment"):
        payment = node.field("payment")
        captures = list(payment.items("captures"))
        captured, history_captured = payment.whole("captured"), sum(n.whole("amount") for n in captures)
        lost = _lost(payment)
        refunded, history_refunded = payment.whole("refunded") + lost, _given_back(payment) + lost
    return GatewayCharge(
        charge_id=node.text("invoice"),
        external_id=None,
        due=node.day("periodStart"),
        amount=node.whole("amount"),
        currency=node.text("currency"),
        status=node.text("status"),
        captured=captured,
        refunded=refunded,
        history_captured=history_captured,
        history_refunded=history_refunded,
        captures=tuple(n.instant("at") for n in captures),
        ahead=node.text("reason") == "subscription_update",
    )


def _payment(node: Node) -> GatewayPayment:
    captures, lost, captured = list(node.items("captures")), _lost(node), node.whole("captured")
    taken = tuple(n.instant("at") for n in captures)
    return GatewayPayment(
        merchant=node.text("account"),
        reference=node.text("paymentIntent"),
        state=_PAYMENTS.get(node.text("status"), "CREATED"),
        currency=node.text("currency"),
        authorized=captured,
        cancelled=0,
        captured=captured,
        refunded=node.whole("refunded") + lost,
        history_cancelled=0,
        history_captured=sum(n.whole("amount") for n in captures),
        history_refunded=_given_back(node) + lost,
        authorizations=taken,
        captures=taken,
        company="stripe",
    )


def _given_back(node: Node) -> int:
    return sum(n.whole("amount") for n in node.items("refunds") if n.text("status") == "succeeded")


def _lost(node: Node) -> int:
    return sum(n.whole("amount") for n in node.items("disputes") if n.text("status") == "lost")
