"""Where to ask about an agreement, a purchase or a charge: the gateway that it is with."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from avtale.domain.charge import Attempt
from avtale.domain.errors import Conflict
from avtale.domain.gateway import GatewayName
from avtale.domain.outcome import Outcome
from avtale.domain.ports import AgreementGateway, BillingGateway, Gateways, PaymentGateway, RecurringGateway
from avtale.domain.settlement import ObservedCharge
from avtale.storage import agreements, charges
from avtale.storage.database import Database
from avtale.storage.tenants import Tenant


@dataclass(frozen=True, slots=True)
class Desk:
    """One gateway of a tenant; `recurring` only where we make the charges, `payments` only where money is reserved
    first and taken when we say so, `billing` only where the gateway makes the charges."""

    gateway: AgreementGateway
    recurring: RecurringGateway | None
    payments: PaymentGateway | None
    billing: BillingGateway | None = None

    async def read(self, attempt: Attempt) -> Outcome[ObservedCharge]:
        """Read an attempt's order."""
        if attempt.gateway_agreement_id is None and self.payments is not None:
            return await self.payments.fetch_payment(attempt.id)
        return await self.gateway.fetch_charge(attempt.gateway_agreement_id or "", attempt.order)


async def desk(gateways: Gateways, tenant: Tenant, name: GatewayName) -> Desk:
    """A gateway of a tenant. Raises Conflict (`vipps_not_configured`, `stripe_not_configured`)."""
    if name is GatewayName.STRIPE:
        stripe = await gateways.stripe(tenant.id)
        return Desk(stripe, None, None, stripe)
    recurring = await gateways.recurring(tenant.id)
    return Desk(recurring, recurring, await gateways.payments(tenant.id))


async def desks(gateways: Gateways, tenant: Tenant, names: Collection[GatewayName]) -> dict[GatewayName, Desk]:
    """Those of these gateways that the tenant has."""
    found: dict[GatewayName, Desk] = {}
    for name in sorted(names):
        try:
            found[name] = await desk(gateways, tenant, name)
        except Conflict:
            continue
    return found


async def desk_of_agreement(db: Database, gateways: Gateways, tenant: Tenant, agreement_id: UUID) -> Desk:
    """Where an agreement is; Vipps for one that nobody knows. Raises as `desk` does."""
    async with db.tenant(tenant.id) as tx:
        agreement = await agreements.get_agreement(tx, agreement_id)
    return await desk(gateways, tenant, agreement.gateway if agreement else GatewayName.VIPPS)


async def desk_of_charge(db: Database, gateways: Gateways, tenant: Tenant, charge_id: UUID) -> Desk:
    """Where a charge's orders are; Vipps for one that nobody knows, or that has none. Raises as `desk` does."""
    async with db.tenant(tenant.id) as tx:
        attempts = await charges.attempts_of(tx, [charge_id])
    return await desk(gateways, tenant, attempts[-1].gateway if attempts else GatewayName.VIPPS)
