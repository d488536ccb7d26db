"""The composition root: the one place where settings become a database, gateways, a fleet and an API."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from procrastinate import App

from avtale import __version__
from avtale.domain.agreement import Terms
from avtale.domain.errors import Conflict
from avtale.domain.gateway import GatewayName
from avtale.domain.pace import Pace
from avtale.domain.ports import (
    AgreementGateway,
    AgreementSource,
    BillingGateway,
    BillingWebhookReader,
    LoginGateway,
    PaymentGateway,
    RecurringGateway,
    WebhookReader,
)
from avtale.domain.purchase import PurchaseTerms
from avtale.gateways.courier import PublicResolver, SigningCourier
from avtale.gateways.outbound import Answer, Call, Outbound
from avtale.gateways.stripe.credentials import StripeCredentials
from avtale.gateways.stripe.events import StripeWebhooks
from avtale.gateways.vipps import limits, translate_epayment
from avtale.gateways.vipps.adapter import VippsRecurring
from avtale.gateways.vipps.calling import VippsCalls
from avtale.gateways.vipps.credentials import VippsCredentials
from avtale.gateways.vipps.epayment import VippsPayments
from avtale.gateways.vipps.events import VippsWebhooks
from avtale.gateways.vipps.login import VippsLogin
from avtale.gateways.vipps.source import VippsSource
from avtale.settings import Clock, Settings, needed
from avtale.storage.database import Database
from avtale.storage.sealing import Sealer
from avtale.storage.stripe_accounts import StripeAccount, get_account
from avtale.storage.tenants import VippsAccount, get_vipps_account
from avtale.worker.fleet import Waker, open_fleet

if TYPE_CHECKING:
    from avtale.api.contract import Api
    from avtale.api.house import House
    from avtale.gateways.stripe.adapter import StripeBilling
    from avtale.gateways.stripe.calling import StripeCalls

#: How long a tenant's account is believed before its row is read again, in seconds of wall time.
ACCOUNT_SECONDS_MAX = 5.0
JWKS_SECONDS_MAX = 5.0


@dataclass(slots=True)
class TenantGateways:
    """The gateway of each tenant, made from its account and remade when that changes."""

    db: Database
    sealer: Sealer
    outbound: Outbound
    call_seconds_max: float
    webhooks: WebhookReader = field(default_factory=VippsWebhooks)
    stripe_webhooks: BillingWebhookReader = field(default_factory=StripeWebhooks)
    _made: dict[UUID, tuple[float, VippsAccount, VippsCalls]] = field(default_factory=dict)
    _made_stripe: dict[UUID, tuple[float, StripeAccount, StripeBilling]] = field(default_factory=dict)

    def check_terms(self, terms: Terms | PurchaseTerms) -> None:
        """Raise ValueError for terms that Vipps could never draft or be paid for."""
        if isinstance(terms, PurchaseTerms):
            translate_epayment.check_terms(terms)
        else:
            limits.check_terms(terms)

    async def agreements(self, tenant_id: UUID, gateway: GatewayName) -> AgreementGateway:
        """Where an agreement is. Raises Conflict (`vipps_not_configured`, `stripe_not_configured`)."""
        return await (self.stripe(tenant_id) if gateway is GatewayName.STRIPE else self.recurring(tenant_id))

    async def recurring(self, tenant_id: UUID) -> RecurringGateway:
        """Vipps Recurring for a tenant. Raises Conflict (`vipps_not_configured`)."""
        calls = await self._vipps(tenant_id)
        account = self._made[tenant_id][1]
        pace = Pace(account.charge_calls_per_minute_max) if account.charge_calls_per_minute_max else None
        return VippsRecurring(calls, pace, account.charges_per_call_max)

    async def payments(self, tenant_id: UUID) -> PaymentGateway:
        """Vipps ePayment for a tenant, with the same access token. Raises Conflict (`vipps_not_configured`)."""
        return VippsPayments(await self._vipps(tenant_id))

    async def login(self, tenant_id: UUID) -> LoginGateway:
        """Sign-in with Vipps for a tenant. Raises Conflict (`vipps_not_configured`)."""
        return VippsLogin(await self._vipps(tenant_id))

    async def source(self, tenant_id: UUID, provider: str) -> AgreementSource | None:
        """Where agreements that move in are looked up; None without an account there."""
        if provider != GatewayName.STRIPE:
            return VippsSource(await self._vipps(tenant_id))
        async with self.db.tenant(tenant_id) as tx:
            account = await get_account(tx)
        if account is None:
            return None
        from avtale.gateways.stripe.source import StripeSource

        return StripeSource(self._stripe_calls(account))

    async def stripe(self, tenant_id: UUID) -> BillingGateway:
        """Stripe for a tenant. Raises Conflict (`stripe_not_configured`)."""
        known = self._made_stripe.get(tenant_id)
        if known is not None and time.monotonic() - known[0] < ACCOUNT_SECONDS_MAX:
            return known[2]
        async with self.db.tenant(tenant_id) as tx:
            account = await get_account(tx)
        if account is None:
            raise Conflict("this tenant has no Stripe account", code="stripe_not_configured")
        made = known[2] if known is not None and known[1] == account else self._make_stripe(account)
        self._made_stripe[tenant_id] = (time.monotonic(), account, made)
        return made

    def _make_stripe(self, account: StripeAccount) -> StripeBilling:
        # Stripe's SDK is loaded by whoever has an account there; it takes a while.
        from avtale.gateways.stripe.adapter import StripeBilling

        return StripeBilling(self._stripe_calls(account))

    def _stripe_calls(self, account: StripeAccount) -> StripeCalls:
        from avtale.gateways.stripe.calling import StripeCalls

        credentials = StripeCredentials(
            base_url=account.base_url,
            account_id=account.account_id,
            secret_key=self.sealer.open(account.secret_key_sealed),
            publishable_key=account.publishable_key,
            livemode=account.livemode,
            connected=account.connected,
            call_seconds_max=self.call_seconds_max,
        )
        return StripeCalls(credentials, self.outbound)

    async def _vipps(self, tenant_id: UUID) -> VippsCalls:
        known = self._made.get(tenant_id)
        if known is not None and time.monotonic() - known[0] < ACCOUNT_SECONDS_MAX:
            return known[2]
        async with self.db.tenant(tenant_id) as tx:
            account = await get_vipps_account(tx)
        if account is None:
            raise Conflict("this tenant has no Vipps account", code="vipps_not_configured")
        calls = known[2] if known is not None and known[1] == account else self._make(account)
        self._made[tenant_id] = (time.monotonic(), account, calls)
        return calls

    def _make(self, account: VippsAccount) -> VippsCalls:
        credentials = VippsCredentials(
            base_url=account.base_url,
            client_id=account.client_id,
            client_secret=self.sealer.open(account.client_secret_sealed),
            subscription_key=self.sealer.open(account.subscription_key_sealed),
            merchant_serial_number=account.merchant_serial_number,
            call_seconds_max=self.call_seconds_max,
        )
        return VippsCalls(credentials, self.outbound)


@dataclass(frozen=True, slots=True)
class Runtime:
    """Everything a process of ours is made of."""

    settings: Settings
    db: Database
    sealer: Sealer
    outbound: Outbound
    gateways: TenantGateways
    courier: SigningCourier
    fleet: App

    def house(self) -> House:
        """What the HTTP faces need."""
        from avtale.api.house import House, SignInPlan

        token = self.settings.clock_token
        return House(
            db=self.db,
            gateways=self.gateways,
            sealer=self.sealer,
            fetch_json=self.fetch_json,
            virtual_clock=self.settings.clock is Clock.VIRTUAL,
            clock_token=token.get_secret_value() if token else None,
            wall=lambda: datetime.now(UTC),
            version=__version__,
            sign_in=SignInPlan(self._call_out, self.settings.sign_in_client_id, self.settings.sign_in_discovery_url),
            customer_calls_per_minute_max=self.settings.customer_calls_per_minute_max,
        )

    def application(self, closing: asyncio.Event) -> Api:
        """The HTTP faces: the API, and the pages where they are asked for. `closing` ends what would go on."""
        from avtale.api.app import create_app
        from avtale.console.app import add_console
        from avtale.console.house import ConsoleHouse

        app = create_app(self.house())
        settings = self.settings
        if settings.console:
            hall = app.state.hall
            add_console(
                app,
                ConsoleHouse(
                    db=self.db,
                    gateways=self.gateways,
                    sealer=self.sealer,
                    find_site=hall.tenancy.at_host,
                    entrance=hall.entrance,
                    call_out=self._call_out,
                    wall=lambda: datetime.now(UTC),
                    sandbox_url=settings.console_sandbox_url,
                    closing=closing,
                ),
            )
        return app

    async def _call_out(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, call_seconds_max: float
    ) -> tuple[int, dict[str, Any]]:
        answer = await self.outbound.send(Call(method, url, headers, body, call_seconds_max))
        if not isinstance(answer, Answer):
            raise OSError(answer.reason)
        try:
            found = json.loads(answer.body)
        except ValueError as error:
            raise OSError(f"{url} did not answer with JSON") from error
        if not isinstance(found, dict):
            raise OSError(f"{url} did not answer with an object")
        return answer.status, found

    async def fetch_json(self, url: str) -> dict[str, Any]:
        """GET a JSON object. Raises OSError without an answer of 200, ValueError for one that is no object."""
        answer = await self.outbound.send(Call("GET", url, {"Accept": "application/json"}, None, JWKS_SECONDS_MAX))
        if not isinstance(answer, Answer) or answer.status != 200:
            raise OSError(f"{url} did not answer with 200")
        found = json.loads(answer.body)
        if not isinstance(found, dict):
            raise ValueError(f"{url} did not answer with an object")
        return found


@asynccontextmanager
async def open_runtime(settings: Settings) -> AsyncIterator[Runtime]:
    """Join everything, and take it apart again. Raises SettingMissing."""
    url = needed(settings.database_url, "DATABASE_URL")
    sealer = Sealer([key.strip() for key in needed(settings.encryption_key, "ENCRYPTION_KEY").split(",")])
    virtual = settings.clock is Clock.VIRTUAL
    db = Database(url, virtual_clock=virtual, pool_size=settings.database_connections_max)
    fleet = open_fleet(url)
    async with Outbound() as outbound, Outbound(resolver=PublicResolver()) as public:
        try:
            async with fleet.open_async():
                db.waker = Waker(fleet)
                gateways = TenantGateways(db, sealer, outbound, settings.vipps_call_seconds_max)
                courier = SigningCourier(public, outbound, settings.event_call_seconds_max)
                yield Runtime(settings, db, sealer, outbound, gateways, courier, fleet)
        finally:
            await db.close()
