"""A shop in one process: real PostgreSQL, the real sandbox as a process of its own, and jobs run by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from avtale.domain.ports import Courier, Gateways
from avtale.gateways.courier import PublicResolver, SigningCourier
from avtale.gateways.outbound import Outbound
from avtale.runtime import TenantGateways
from avtale.service import buying, checkout, following
from avtale.service.absorbing import absorb_inbox
from avtale.service.auditing import audit, export
from avtale.service.billing import bill
from avtale.service.buying import PurchaseCheckout
from avtale.service.checking import check
from avtale.service.checkout import Checkout, CheckoutWish, Person
from avtale.service.configuring import apply_tenant
from avtale.service.entitling import end_due_access
from avtale.service.following import PurchaseView
from avtale.service.imports.running import work_imports
from avtale.service.notifying import notify
from avtale.service.reading import AgreementView, get_agreement, poll_agreement
from avtale.service.sending import resend
from avtale.service.tenants_file import TenantEntry
from avtale.service.turning import quietness, turn_clock
from avtale.storage.database import Database, Job
from avtale.storage.due import due_tenants
from avtale.storage.sealing import Sealer, new_key
from avtale.storage.tenants import Tenant

from ..conftest import START

OPERATOR = Person("https://id.example", "op")
PHONE = "4791234567"


@dataclass
class Shop:
    """A tenant with one product of 99 kr a month, and the hands of everybody around it."""

    db: Database
    gateways: Gateways
    sealer: Sealer
    tenant: Tenant
    sandbox: str
    http: aiohttp.ClientSession
    courier: Courier
    anna: Person = field(default_factory=lambda: Person("https://id.example", "anna"))
    keys: list[str] = field(default_factory=list)

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call the sandbox's control room."""
        async with self.http.request(method, f"{self.sandbox}/_sandbox{path}", json=body) as answer:
            text = await answer.text()
            assert answer.status < 300, f"{method} {path}: {answer.status} {text}"
            return json.loads(text) if text else None

    async def checkout(
        self, person: Person | None = None, key: str | None = None, voucher: str | None = None
    ) -> Checkout:
        """Start a checkout of the monthly film subscription."""
        wish = CheckoutWish("film-month", "https://shop.example/back", PHONE, voucher=voucher)
        return await checkout.start_checkout(self.db, self.gateways, self.tenant, person or self.anna, wish, key)

    async def approve(self, url: str) -> None:
        """The person opens the link and says yes."""
        await self.control("PATCH", f"/people/{PHONE}", {"temperament": "approves"})
        opened = await self.control("POST", f"/phone/{PHONE}/open", {"url": url})
        assert opened["decision"] == "approved", opened

    async def subscribe(self, person: Person | None = None, voucher: str | None = None) -> UUID:
        """A subscription that is active and whose first period is paid."""
        started = await self.checkout(person, voucher=voucher)
        await self.approve(started.confirmation_url)
        await self.poll(started.agreement_id, person)
        await self.work()
        return started.agreement_id

    async def poll(self, agreement_id: UUID, person: Person | None = None) -> AgreementView:
        return await poll_agreement(self.db, self.gateways, self.tenant, person or self.anna, agreement_id)

    async def see(self, agreement_id: UUID, person: Person | None = None) -> AgreementView:
        return await get_agreement(self.db, self.tenant, person or self.anna, agreement_id)

    async def buy(self, person: Person | None = None, key: str | None = None) -> PurchaseCheckout:
        """Start a checkout of a film for two days."""
        wish = CheckoutWish("film-rent", "https://shop.example/back", PHONE)
        return await buying.start_purchase(self.db, self.gateways, self.tenant, person or self.anna, wish, key)

    async def rent(self, person: Person | None = None) -> UUID:
        """A purchase that is paid."""
        started = await self.buy(person)
        await self.approve(started.confirmation_url)
        await self.poll_purchase(started.purchase_id, person)
        await self.work()
        return started.purchase_id

    async def poll_purchase(self, purchase_id: UUID, person: Person | None = None) -> PurchaseView:
        return await following.poll_purchase(self.db, self.gateways, self.tenant, person or self.anna, purchase_id)

    async def see_purchase(self, purchase_id: UUID, person: Person | None = None) -> PurchaseView:
        return await following.get_purchase(self.db, self.tenant, person or self.anna, purchase_id)

    async def work(self, rounds_max: int = 400) -> None:
        """Do everything that is due until the house is quiet; calls without an answer are given their seconds."""
        run = {
            Job.BILL: lambda: bill(self.db, self.gateways, self.tenant),
            Job.CHECK: lambda: check(self.db, self.gateways, self.tenant),
            Job.ABSORB: lambda: absorb_inbox(self.db, self.tenant),
            Job.SEND: lambda: resend(self.db, self.gateways, self.tenant),
            Job.NOTIFY: lambda: notify(self.db, self.sealer, self.courier, self.tenant),
            Job.ACCESS: lambda: end_due_access(self.db, self.tenant),
            Job.IMPORT: lambda: work_imports(self.db, self.gateways, self.tenant),
        }
        for _ in range(rounds_max):
            async with self.db.routing() as tx:
                due = await due_tenants(tx)
            for _, job in due:
                while await run[job]():
                    pass
            quiet = await quietness(self.db)
            if quiet.quiet:
                return
            if not due:
                await asyncio.sleep(0.05)
        raise AssertionError(f"the shop does not become quiet: {(await quietness(self.db)).busy}")

    async def advance_to(self, to: datetime) -> None:
        """Turn both clocks, from one instant at which anything happens to the next."""
        while True:
            there = await self.control("GET", "/clock")
            ours = (await quietness(self.db)).next
            stops = [to, *([datetime.fromisoformat(there["next"])] if there["next"] else []), *([ours] if ours else [])]
            following = max(min(stops), datetime.fromisoformat(there["now"]))
            await self.control("POST", "/clock/advance", {"to": following.isoformat().replace("+00:00", "Z")})
            await turn_clock(self.db, following, running=False)
            await self.work()
            if following == to:
                return

    async def books(self) -> dict[str, Any]:
        """Our books, which must be in order."""
        assert await audit(self.db, self.tenant) == []
        return await export(self.db, self.tenant)

    async def payments(self) -> list[dict[str, Any]]:
        """The single payments as the sandbox has them."""
        exported = await self.control("GET", "/export")
        return list(exported["payments"])

    async def theirs(self) -> list[dict[str, Any]]:
        """The agreements as the sandbox has them."""
        exported = await self.control("GET", "/export")
        return list(exported["agreements"])


def tenant_entry(sandbox: str) -> dict[str, Any]:
    """A tenant with a subscription and a single purchase, and its account at Vipps."""
    return {
        "name": "film",
        "hosts": ["127.0.0.1"],
        "public_url": "http://127.0.0.1:9",
        "seller": {
            "name": "Film AS",
            "organization_number": "999999999",
            "vat_registered": True,
            "address": "Storgata 1, Oslo",
        },
        "vipps": {
            "base_url": sandbox,
            "client_id": "dev-client-id",
            "client_secret": "dev-client-secret",
            "subscription_key": "dev-subscription-key",
            "merchant_serial_number": "123456",
        },
        "issuers": [{"issuer": "https://id.example", "audience": "avtale"}],
        "migration": {"secret": "a-secret-of-the-path", "calls_per_minute_max": 1_000_000},
        "products": [
            {
                "id": "film-month",
                "name": "Film",
                "price_minor": 9900,
                "currency": "NOK",
                "interval": "month",
                "vat_percent": "25",
                "agreement_url": "https://shop.example/me",
            },
            {
                "id": "film-rent",
                "name": "Film for two days",
                "price_minor": 3900,
                "currency": "NOK",
                "access_days": 2,
                "vat_percent": "25",
            },
        ],
    }


@pytest.fixture
def entry_of_shop(sandbox: str) -> dict[str, Any]:
    """What the tenants file says of the shop."""
    return tenant_entry(sandbox)


@pytest.fixture
async def shop(db: Database, sandbox: str, entry_of_shop: dict[str, Any]) -> AsyncIterator[Shop]:
    """A shop on the sandbox, at the same instant of business time."""
    entry = TenantEntry.model_validate(entry_of_shop)
    keys = [new_key()]
    sealer = Sealer(keys)
    await turn_clock(db, START, running=False)
    async with (
        Outbound() as outbound,
        Outbound(resolver=PublicResolver()) as public,
        aiohttp.ClientSession() as http,
    ):
        gateways = TenantGateways(db, sealer, outbound, call_seconds_max=4.0)
        tenant = await apply_tenant(db, gateways, sealer, "nord", entry, {})
        yield Shop(db, gateways, sealer, tenant, sandbox, http, SigningCourier(public, outbound, 4.0), keys=keys)
