"""All that Stripe knows, without its rules: the shelves, the time, the ids, and who is asking."""

from __future__ import annotations

from msgspec import Struct

from ..clock import Clock
from ..ids import Ids
from ..people import People, Person
from ..store import Store
from .accounts import Accounts
from .resources import (
    Charge,
    Customer,
    Dispute,
    Event,
    Invoice,
    InvoicePayment,
    PaymentIntent,
    PaymentMethod,
    Price,
    Product,
    Refund,
    SetupIntent,
    Subscription,
)
from .shelf import Shelf

_LENGTHS = {"cus": 14, "prod": 14, "si": 14}


class Deleted(Struct):
    """What is left of a deleted customer."""

    account: str


class Asking(Struct, frozen=True):
    """The request that is being answered; events name it."""

    id: str | None = None
    idempotency_key: str | None = None


class Books:
    """One of everything."""

    def __init__(self, store: Store, ids: Ids, clock: Clock, people: People) -> None:
        self.ids = ids
        self.clock = clock
        self.people = people
        self.accounts = Accounts(store)
        self.customers = Shelf(store, ids, "customer", Customer, lambda row: (("email", row.email),))
        self.methods = Shelf(store, ids, "PaymentMethod", PaymentMethod, lambda row: (("customer", row.customer),))
        self.products = Shelf(store, ids, "product", Product)
        self.prices = Shelf(store, ids, "price", Price, lambda row: (("product", row.product),))
        self.subscriptions = Shelf(store, ids, "subscription", Subscription, lambda row: (("customer", row.customer),))
        self.invoices = Shelf(
            store,
            ids,
            "invoice",
            Invoice,
            lambda row: (("customer", row.customer), ("subscription", row.subscription)),
        )
        self.invoice_payments = Shelf(
            store,
            ids,
            "invoice_payment",
            InvoicePayment,
            lambda row: (("invoice", row.invoice), ("payment_intent", row.payment_intent)),
        )
        self.intents = Shelf(store, ids, "payment_intent", PaymentIntent, lambda row: (("customer", row.customer),))
        self.setups = Shelf(store, ids, "setup_intent", SetupIntent, lambda row: (("customer", row.customer),))
        self.charges = Shelf(
            store,
            ids,
            "charge",
            Charge,
            lambda row: (("customer", row.customer), ("payment_intent", row.payment_intent)),
        )
        self.refunds = Shelf(
            store,
            ids,
            "refund",
            Refund,
            lambda row: (("charge", row.charge), ("payment_intent", row.payment_intent)),
        )
        self.disputes = Shelf(store, ids, "dispute", Dispute, lambda row: (("charge", row.charge),))
        self.events = Shelf(store, ids, "event", Event)
        self.deleted = store.table("stripe_deleted", Deleted)
        self.asking = Asking()
        self.base_url = "http://127.0.0.1:8400"

    def load(self) -> None:
        """Build everything that follows from the rows."""
        self.accounts.load()
        for shelf in (
            self.customers,
            self.methods,
            self.products,
            self.prices,
            self.subscriptions,
            self.invoices,
            self.invoice_payments,
            self.intents,
            self.setups,
            self.charges,
            self.refunds,
            self.disputes,
            self.events,
        ):
            shelf.load()

    def __len__(self) -> int:
        return len(self.customers) + len(self.products) + len(self.events)

    @property
    def now(self) -> int:
        """The instant, in seconds since 1970."""
        return self.clock.now() // 1000

    def new_id(self, prefix: str) -> tuple[str, int]:
        """An id that begins with what kind of thing it is, and its running number."""
        number = self.ids.next_number()
        return f"{prefix}_{self.ids.letters(prefix, number, _LENGTHS.get(prefix, 24))}", number

    def part_id(self, prefix: str) -> str:
        """An id for a part of something."""
        return self.new_id(prefix)[0]

    def forget_customer(self, customer: Customer) -> None:
        """Delete a customer; that there was one is remembered."""
        self.customers.delete(customer)
        self.deleted.put(customer.id, Deleted(customer.account))

    def person_of(self, customer: Customer | None) -> Person | None:
        """The person behind a customer, who has the same telephone number or e-mail address."""
        if customer is None:
            return None
        number = "".join(letter for letter in customer.phone or "" if letter.isdigit())
        if number and (person := self.people.get(number)) is not None:
            return person
        return self.people.with_email(customer.email) if customer.email else None
