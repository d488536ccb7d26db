"""All of Stripe joined: one set of books, its engines, its API, and its webhooks."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ..clock import Agenda, Clock
from ..ids import Ids
from ..people import People
from ..settings import Settings
from ..store import Store
from ..vipps.webhooks.deliveries import Deliveries, Delivery, Disturbance
from .api import StripeApi
from .billing import Billing
from .books import Books
from .endpoints import RHYTHM, Endpoints
from .events import Events
from .faces.catalogue import Catalogue
from .faces.customers import Customers
from .faces.intents import Intents
from .faces.invoices import Invoices
from .faces.log import Log
from .faces.money import Money
from .faces.subscriptions import Subscriptions
from .lifecycle import Lifecycle
from .methods import Methods
from .money_back import MoneyBack
from .payments import Payments
from .resources import Charge, Event
from .setups import Setups
from .wire.speller import Speller

# What a reset leaves alone.
CONFIGURATION = ("stripe_account",)


class Stripe:
    """One Stripe, for all its accounts."""

    def __init__(
        self,
        store: Store,
        ids: Ids,
        clock: Clock,
        agenda: Agenda,
        people: People,
        settings: Settings,
        disturb: Callable[[str], Disturbance | None],
        note: Callable[[str, str, str, int, bytes], None],
    ) -> None:
        """Take what is shared; `note` (account, event, what it is about, instant, body) records all that happens."""
        self.books = Books(store, ids, clock, people)
        # Until the first request says how it is really called.
        self.books.base_url = f"http://{settings.host}:{settings.port}"
        self.speller = Speller(self.books)
        self.endpoints = Endpoints(store, ids, self.books.accounts)
        self.deliveries = Deliveries(store, ids, agenda, self.endpoints, settings, "stripe_delivery", RHYTHM)
        self.deliveries.on_delivered = self._heard
        self._disturb, self._note = disturb, note
        self.events = Events(self.books, self.speller, self.send)
        self.methods = Methods(self.books, self.events)
        self.payments = Payments(self.books, self.events, self.methods)
        self.setups = Setups(self.books, self.events, self.methods)
        self.billing = Billing(self.books, self.events, self.payments, self.methods, agenda)
        self.lifecycle = Lifecycle(self.books, self.events, self.billing, self.payments, self.setups, agenda)
        self.money_back = MoneyBack(self.books, self.events)
        self.payments.on_disputed = self._dispute
        catalogue = Catalogue(self.books, self.events, self.speller)
        subscriptions = Subscriptions(
            self.books,
            self.events,
            self.methods,
            self.payments,
            self.billing,
            self.lifecycle,
            catalogue,
            self.speller,
        )
        faces = (
            Customers(self.books, self.events, self.methods, self.lifecycle, self.speller),
            catalogue,
            subscriptions,
            Invoices(self.books, self.events, self.methods, self.billing, self.speller),
            Intents(self.books, self.events, self.methods, self.payments, self.setups, self.speller),
            Money(self.books, self.events, self.money_back, self.speller),
            Log(self.books, self.endpoints, self.speller),
        )
        self.api = StripeApi(store, self.books, self.speller, [face.actions() for face in faces])

    def load(self) -> None:
        """Build everything that follows from the rows."""
        self.books.load()
        self.endpoints.load()
        self.billing.load()
        self.lifecycle.load()
        self.deliveries.load()

    @property
    def is_empty(self) -> bool:
        """Whether nothing has happened yet."""
        return not (len(self.books) or len(self.endpoints) or len(self.deliveries))

    def send(self, event: Event, lane: str) -> None:
        """Queue an event for every endpoint that wants it, and note who has not heard of it."""
        event.pending = list(self.endpoints.wanting(event.account, event.type))
        if event.pending:
            self.books.events.put(event)
        body, at = msgspec.json.encode(self.speller.spell(event)), self.books.clock.now()
        self._note(event.account, event.type, lane, at, body)
        self.deliveries.publish(event.account, event.type, lane, at, body, self._disturb(event.type), event.id)

    def _heard(self, delivery: Delivery) -> None:
        event = self.books.events.find(delivery.reference or "")
        if event is not None and delivery.registration_id in event.pending:
            event.pending.remove(delivery.registration_id)
            self.books.events.put(event)

    def _dispute(self, charge: Charge) -> None:
        self.money_back.dispute(self.books.charges.at(charge.id))
