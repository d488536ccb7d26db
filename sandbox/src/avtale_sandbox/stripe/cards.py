"""The test cards: what each is called, what it looks like, and what happens when it is used."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Card(Struct, frozen=True, kw_only=True):
    """A test card.

    `code`: it declines at every use; one that `saves` can be kept all the same.
    `renewal_decline`: it can be charged while its owner is there, and then declines so. `authentication`: its owner
    must say yes at the bank `always`, or `once` (then charges without its owner go well).
    """

    number: str
    brand: str = "visa"
    funding: str = "credit"
    country: str = "US"
    code: str = ""
    decline_code: str | None = None
    saves: bool = False
    renewal_decline: str = ""
    authentication: Literal["", "always", "once"] = ""
    disputed: bool = False
    words: str = ""

    @property
    def last4(self) -> str:
        """The last four digits."""
        return self.number[-4:]


def _declining(number: str, code: str, decline_code: str | None, words: str, *, saves: bool = False) -> Card:
    return Card(number=number, code=code, decline_code=decline_code, saves=saves, words=words)


# By the name that stands in `pm_card_...` and `tok_...`.
CARDS: dict[str, Card] = {
    "visa": Card(number="4242424242424242", words="Visa, goes well"),
    "visa_debit": Card(number="4000056655665556", funding="debit", words="Visa Debit, goes well"),
    "mastercard": Card(number="5555555555554444", brand="mastercard", words="Mastercard, goes well"),
    "amex": Card(number="378282246310005", brand="amex", words="American Express, goes well"),
    "threeDSecure2Required": Card(
        number="4000000000003220", authentication="once", words="Visa, bank asks the first time"
    ),
    "authenticationRequiredOnSetup": Card(
        number="4000002500003155", authentication="once", words="Visa, bank asks until it is saved"
    ),
    "authenticationRequired": Card(
        number="4000002760003184", authentication="always", words="Visa, bank asks every time"
    ),
    "authenticationRequiredChargeDeclinedInsufficientFunds": Card(
        number="4000008260003178",
        authentication="once",
        code="card_declined",
        decline_code="insufficient_funds",
        saves=True,
        words="Visa, bank asks, then there is no money",
    ),
    "chargeDeclined": _declining("4000000000000002", "card_declined", "generic_decline", "Visa, declined"),
    "visa_chargeDeclined": _declining("4000000000000002", "card_declined", "generic_decline", "Visa, declined"),
    "chargeDeclinedInsufficientFunds": _declining(
        "4000000000009995", "card_declined", "insufficient_funds", "Visa, no money"
    ),
    "visa_chargeDeclinedInsufficientFunds": _declining(
        "4000000000009995", "card_declined", "insufficient_funds", "Visa, no money"
    ),
    "visa_chargeDeclinedLostCard": _declining("4000000000009987", "card_declined", "lost_card", "Visa, lost"),
    "visa_chargeDeclinedStolenCard": _declining("4000000000009979", "card_declined", "stolen_card", "Visa, stolen"),
    "chargeDeclinedExpiredCard": _declining("4000000000000069", "expired_card", "expired_card", "Visa, expired"),
    "chargeDeclinedIncorrectCvc": _declining("4000000000000127", "incorrect_cvc", "incorrect_cvc", "Visa, wrong CVC"),
    "chargeDeclinedProcessingError": _declining(
        "4000000000000119", "processing_error", "processing_error", "Visa, error at the bank"
    ),
    "chargeCustomerFail": _declining(
        "4000000000000341", "card_declined", "generic_decline", "Visa, can be saved but not charged", saves=True
    ),
    "createDispute": Card(number="4000000000000259", disputed=True, words="Visa, disputed afterwards"),
    # Not of Stripe's: cards that are good while their owner looks on, and decline every renewal.
    "sandboxFailsOnRenewal": Card(
        number="4000000000000010", renewal_decline="generic_decline", words="Visa, renewals are declined"
    ),
    "sandboxLostOnRenewal": Card(number="4000000000000028", renewal_decline="lost_card", words="Visa, lost afterwards"),
}
_BY_NUMBER = {card.number: name for name, card in reversed(CARDS.items())}

MESSAGES = {
    "generic_decline": "Your card was declined.",
    "insufficient_funds": "Your card has insufficient funds.",
    "lost_card": "Your card was declined.",
    "stolen_card": "Your card was declined.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "invoice_payment_intent_requires_action": (
        "Payment for this invoice requires additional user action before it can be completed successfully."
    ),
    "authentication_required": "Your card was declined. This transaction requires authentication.",
}
# A bank that says this will not say anything else tomorrow (Stripe, hard declines).
HARD_DECLINES = frozenset({"lost_card", "stolen_card", "incorrect_cvc", "expired_card"})


def name_of_token(token: str) -> str | None:
    """The card that a `pm_card_...` or `tok_...` stands for, or None."""
    for prefix in ("pm_card_", "tok_"):
        if token.startswith(prefix) and token.removeprefix(prefix) in CARDS:
            return token.removeprefix(prefix)
    return None


def name_of_number(number: str) -> str | None:
    """The card with this number, or None."""
    return _BY_NUMBER.get(number.replace(" ", ""))


class Verdict(Struct, frozen=True):
    """What the bank says to a try: nothing (it is good), a decline, or that its owner must act first."""

    code: str = ""
    decline_code: str | None = None
    needs_action: bool = False

    @property
    def message(self) -> str:
        """What is told of a decline."""
        return MESSAGES.get(self.decline_code or self.code, MESSAGES["generic_decline"])


GOOD = Verdict()
NEEDS_ACTION = Verdict(needs_action=True)
NO_MONEY = Verdict("card_declined", "insufficient_funds")
NOT_AUTHENTICATED = Verdict("authentication_required", "authentication_required")


def verdict(card: Card, *, owner_is_there: bool, is_set_up: bool, is_authenticated: bool, to_save: bool) -> Verdict:
    """What happens to a try with a card; `to_save` is a try to keep it, without taking money."""
    if card.authentication and not is_authenticated:
        spared = card.authentication == "once" and not owner_is_there and is_set_up
        if not spared:
            return NEEDS_ACTION
    if card.code and not (to_save and card.saves):
        return Verdict(card.code, card.decline_code)
    if card.renewal_decline and not owner_is_there:
        return Verdict("card_declined", card.renewal_decline)
    return GOOD
