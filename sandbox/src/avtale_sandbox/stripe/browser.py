"""What a payer's browser can do with a client secret: give a card, and say yes or no to the bank."""

from __future__ import annotations

from .books import Asking
from .cards import CARDS
from .house import Stripe
from .payments import intent_of_secret
from .refusals import Refused, no_such, required
from .resources import Intent, PaymentIntent, SetupIntent


class Browser:
    """Stands in for Stripe's own scripts in a page."""

    def __init__(self, stripe: Stripe) -> None:
        self._stripe = stripe

    def intent(self, secret: str) -> PaymentIntent | SetupIntent:
        """What a secret is about; raises Refused."""
        found: Intent | None = intent_of_secret(self._stripe.books, secret)
        if not isinstance(found, PaymentIntent | SetupIntent):
            raise no_such("payment_intent", secret.partition("_secret_")[0])
        return found

    def give_card(self, secret: str, card: str, return_url: str | None = None) -> PaymentIntent | SetupIntent:
        """Confirm with a test card; a decline is told by the intent that comes back. Raises Refused."""
        intent = self.intent(secret)
        if card not in CARDS:
            raise required("card")
        intent.return_url = return_url or intent.return_url
        self._stripe.books.asking = Asking()
        method = self._stripe.methods.make(intent.account, card)
        try:
            if isinstance(intent, SetupIntent):
                return self._stripe.setups.confirm(intent, method)
            return self._stripe.payments.confirm(intent, method, owner_is_there=True)
        except Refused as refused:
            if refused.status != 402:
                raise
            return self.intent(secret)

    def authenticate(self, secret: str, well: bool) -> PaymentIntent | SetupIntent:
        """Say yes or no to the bank; a decline afterwards is told by the intent. Raises Refused."""
        intent = self.intent(secret)
        try:
            if isinstance(intent, SetupIntent):
                return self._stripe.setups.authenticate(intent, well)
            return self._stripe.payments.authenticate(intent, well)
        except Refused as refused:
            if refused.status != 402:
                raise
            return self.intent(secret)
