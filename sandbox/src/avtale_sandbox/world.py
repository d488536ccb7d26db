"""All rooms of the sandbox joined, without HTTP: one state, one clock, and what happens by itself."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from msgspec import Struct

from .clock import Agenda, Clock, wall_now
from .conductor import Conductor
from .contracts.contract import Contract
from .control.faults import Faults
from .control.record import Record
from .failures import Failures
from .identity.issuer import Identity
from .ids import Ids
from .instants import SECOND, parse_instant
from .merchants import Cast, Merchants, read_cast
from .people import People
from .settings import Settings
from .store import StateNotKept, Store
from .stripe.endpoints import signed_headers as stripe_headers
from .stripe.house import CONFIGURATION, Stripe
from .stripe.operations import OPERATIONS as STRIPE_OPERATIONS
from .vipps.accesstoken import AccessTokenApi, Tokens
from .vipps.consents import Consents
from .vipps.epayment.api import EpaymentApi
from .vipps.epayment.model import Payments
from .vipps.gateway import Gateway, Route, open_routes, routes_of
from .vipps.idempotency import Idempotency
from .vipps.login.api import LoginApi
from .vipps.login.grants import Grants
from .vipps.ratelimits import RateLimits
from .vipps.recurring.model import Recurring
from .vipps.recurring.v2 import RecurringV2
from .vipps.recurring.v3 import RecurringV3
from .vipps.userinfo import UserinfoApi
from .vipps.webhooks.api import WebhooksApi
from .vipps.webhooks.deliveries import Deliveries
from .vipps.webhooks.registrations import Registrations
from .vipps.webhooks.sender import Sender

log = logging.getLogger("avtale_sandbox")

_FIRED_AT_ONCE_MAX = 100
_SLEPT_AT_MOST_SECONDS = 3600.0
# What a reset leaves alone. Access tokens are wall time's: those that are good stay good.
_CONFIGURATION = ("merchant", "partner", "participant", "clock", "tokenkey", *CONFIGURATION)
_NOT_KEPT = ("participant", "tokenkey")


class Snapshot(Struct, frozen=True):
    """Everything at an instant: when it was taken (wall time), what the clock showed, and every row."""

    taken: int
    now: int
    running: bool
    number: int
    rows: dict[str, dict[str, bytes]]


class World:
    """Everything that one running sandbox has."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = Store()
        self._cast = Cast()
        self.ids = Ids(settings.seed)
        self.clock = Clock(self.store)
        self.agenda = Agenda()
        self.merchants = Merchants(self.store)
        self.people = People(self.store)
        self.failures = Failures(self.store, self.ids)
        self.tokens = Tokens(self.store, self.ids, settings)
        self.idempotency = Idempotency(self.store)
        self.identity = Identity(self.store, base_url=settings.issuer_base_url)
        self.consents = Consents(self.store, self.ids)
        self.logins = Grants(self.store)
        self.faults = Faults(self.store, self.ids)
        self.record = Record(settings)
        self.registrations = Registrations(self.store, self.ids, self.clock, self.agenda, settings)
        self.deliveries = Deliveries(self.store, self.ids, self.agenda, self.registrations, settings)
        self.recurring = Recurring(
            self.store,
            self.ids,
            self.clock,
            self.agenda,
            self.people,
            self.consents,
            self.failures,
            self.merchants,
            self._publish,
            settings,
        )
        self.payments = Payments(
            self.store,
            self.ids,
            self.clock,
            self.agenda,
            self.people,
            self.consents,
            self.merchants,
            self._publish,
            settings,
        )
        self.stripe = Stripe(
            self.store,
            self.ids,
            self.clock,
            self.agenda,
            self.people,
            settings,
            self.faults.disturb,
            self._note,
        )
        self.sender = Sender(self.deliveries, self.registrations, self.clock, settings, self.settle_all)
        self.sender.also(self.stripe.deliveries, self.stripe.endpoints, stripe_headers)
        self.conductor = Conductor(self.store, self.clock, self.agenda, self.sender, settings, self.settle)
        self.gateway = Gateway(
            self.merchants,
            self.tokens,
            self.idempotency,
            RateLimits(enforced=settings.profile == "strict"),
            self._routes(),
        )
        self._earlier = asyncio.Event()
        self._pulse: asyncio.Task[None] | None = None
        self.agenda.on_earlier = self._earlier.set

    def load(self) -> None:
        """Read the state file, if there is to be one, and build everything that follows from the rows.

        Raises StateFileError, or ValueError for a start instant that is none.
        """
        if self.settings.state_path is not None:
            self.store.open(Path(self.settings.state_path), synced=self.settings.state_synced)
        start_at = None if self.settings.start_at is None else parse_instant(self.settings.start_at)
        if self.settings.merchants_path is not None:
            self._cast = read_cast(Path(self.settings.merchants_path))
        self._load_rows(start_at)

    def reset(self) -> None:
        """Forget everything but merchants, participants and the time."""
        self.store.clear(keep=_CONFIGURATION)
        self.agenda.clear()
        self.record.clear()
        self.ids.number = 0
        self._load_rows(None)

    def snapshot(self) -> Snapshot:
        """Everything as it is now, but for participants and the keys of access tokens."""
        clock = self.clock
        return Snapshot(wall_now(), clock.now(), clock.running, self.ids.number, self.store.rows(without=_NOT_KEPT))

    def restore(self, snapshot: Snapshot) -> None:
        """Make everything what it was, the time too; what is recorded since then is forgotten."""
        self.store.restore(snapshot.rows)
        self.agenda.clear()
        self.record.clear()
        self._load_rows(None)
        self.ids.number = snapshot.number
        self.clock.set(snapshot.now, snapshot.running)
        self.store.commit()

    @property
    def operations(self) -> list[str]:
        """The ids of every operation of every API."""
        return sorted(one.id for one in (*self.gateway.operations, *STRIPE_OPERATIONS))

    @property
    def is_empty(self) -> bool:
        """Whether nothing has happened yet that belongs to a time."""
        resources = (self.recurring.shelf, self.payments.shelf, self.registrations, self.deliveries)
        return self.stripe.is_empty and not any(len(one) for one in resources)

    def settle(self, count_max: int | None = None) -> int:
        """Do what is due now, at most `count_max` things, store it, begin to send; gives how many were done."""
        fired = self.agenda.fire_due(self.clock.now(), count_max)
        self.store.commit()
        self.sender.pump()
        return fired

    def catch_up(self) -> None:
        """With a running clock, do what has become due since the last beat, before anybody looks.

        Raises StateNotKept while earlier changes are in memory alone: nobody is to see or add to them.
        """
        self.store.commit()
        if self.clock.running and not self.clock.held:
            self.agenda.fire_due(self.clock.now(), _FIRED_AT_ONCE_MAX)

    async def start(self) -> None:
        """Begin to let time pass."""
        self.settle()
        self._pulse = asyncio.get_running_loop().create_task(self._beat())

    async def stop(self) -> None:
        """Stop what is under way and write what is left."""
        if self._pulse is not None:
            self._pulse.cancel()
            await asyncio.gather(self._pulse, return_exceptions=True)
        await self.conductor.close()
        await self.sender.close()
        try:
            self.store.close()
        except StateNotKept as problem:
            log.error("%s", problem)

    async def _beat(self) -> None:
        """With a running clock, do what is due when its time has come."""
        while True:
            self._earlier.clear()
            wait = _SLEPT_AT_MOST_SECONDS
            if self.clock.running and not self.clock.held:
                try:
                    if self.settle(_FIRED_AT_ONCE_MAX):
                        await asyncio.sleep(0)
                        continue
                except StateNotKept as problem:
                    log.error("%s", problem)
                    await asyncio.sleep(1)
                    continue
                except Exception:
                    log.exception("something that was due could not be done")
                    await asyncio.sleep(1)
                    continue
                at = self.agenda.next_at()
                if at is not None:
                    wait = min(wait, max((at - self.clock.now()) / SECOND, 0.001))
            try:
                await asyncio.wait_for(self._earlier.wait(), timeout=wait)
            except TimeoutError:
                continue

    def wake(self) -> None:
        """Let the beat look at the clock again, after it was set."""
        self._earlier.set()

    def settle_all(self) -> None:
        """Store what was changed, and do what follows from it now.

        While the clock is being moved, its conductor does what is due, a little at a time.
        """
        if self.clock.held:
            self.store.commit()
        else:
            self.settle()

    def _note(self, whose: str, event: str, about: str, at: int, body: bytes) -> None:
        self.record.happened(wall_now(), at, whose, event, about, body)

    def _publish(self, msn: str, event: str, lane: str, at: int, body: bytes) -> None:
        self._note(msn, event, lane, at, body)
        self.deliveries.publish(msn, event, lane, at, body, self.faults.disturb(event))

    def _load_rows(self, start_at: int | None) -> None:
        self.clock.load(self.settings.clock_running, start_at)
        self.merchants.load(self._cast)
        self.people.load()
        self.tokens.load()
        self.identity.load()
        self.logins.load()
        self.failures.load()
        self.faults.load()
        self.registrations.load()
        self.recurring.shelf.load()
        self.payments.shelf.load()
        self.deliveries.load()
        self.stripe.load()
        self.store.commit()

    def _routes(self) -> list[Route]:
        token_api = AccessTokenApi(self.tokens, self.merchants)
        login = LoginApi(self.merchants, self.people, self.consents, self.logins)
        userinfo = UserinfoApi(self.merchants, self.people, self.consents, self.tokens, self.logins, self.clock)
        return [
            *open_routes(Contract("accesstoken"), token_api.handlers()),
            *open_routes(Contract("login"), login.handlers()),
            *open_routes(Contract("userinfo"), userinfo.handlers()),
            *routes_of(RecurringV2(self.recurring)),
            *routes_of(RecurringV3(self.recurring, self.ids, self.settings)),
            *routes_of(EpaymentApi(self.payments)),
            *routes_of(WebhooksApi(self.registrations)),
        ]
