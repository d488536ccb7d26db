"""The application of the HTTP faces: every route, every door, and how failures are answered."""

from __future__ import annotations

from avtale.api.contract import Api
from avtale.api.crossing import Crossing
from avtale.api.directory import serving
from avtale.api.doors import Hall
from avtale.api.envelope import Envelope
from avtale.api.house import House
from avtale.api.identity import Identity
from avtale.api.keys import IssuerKeys
from avtale.api.payments import (
    agreements,
    agreements_admin,
    auth,
    config,
    customers,
    entitlements,
    events,
    health,
    imports,
    migration,
    operations,
    people_data,
    purchases,
    receipts,
    refunds,
    stripe,
    stripe_webhooks,
    subscriptions,
    vipps,
    vipps_login,
    vipps_webhooks,
)
from avtale.api.problems import add_problems
from avtale.api.reference import add_reference
from avtale.api.tenancy import Tenancy
from avtale.api.vipps_agreements import journey
from avtale.api.vipps_agreements.operations import PREFIX, customer_app
from avtale.entrance.signing_in import Entrance
from avtale.service.intake import Intake

ROUTES = (
    vipps.routes,
    vipps_login.routes,
    subscriptions.routes,
    subscriptions.admin_routes,
    stripe.routes,
    stripe_webhooks.routes,
    customers.routes,
    agreements.routes,
    purchases.routes,
    agreements_admin.routes,
    agreements_admin.test_routes,
    vipps_webhooks.routes,
    receipts.routes,
    receipts.admin_routes,
    refunds.routes,
    auth.routes,
    config.routes,
    migration.routes,
    imports.routes,
    entitlements.routes,
    entitlements.admin_routes,
    events.routes,
    people_data.routes,
    people_data.admin_routes,
    operations.routes,
    operations.clock_routes,
    health.routes,
    journey.routes,
)


def create_contract(version: str) -> Api:
    """The application without a house: every route of it, and so the contract that it publishes."""
    app = Api(
        title="avtale",
        summary="Subscriptions and one-time purchases on Vipps MobilePay and Stripe.",
        version=version,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.router.routes += serving(ROUTES)
    return app


def create_app(house: House) -> Api:
    """The ASGI application of one process. It opens and closes nothing: what the house has, its owner closes."""
    app = create_contract(house.version)
    identity = Identity(IssuerKeys(house.fetch_json), house.wall)
    app.state.hall = Hall(house, Tenancy(house.db), identity, _entrance(house, identity), Intake(house.db))
    app.mount(PREFIX, customer_app(app.state.hall, house.version))
    add_reference(app)
    add_problems(app)
    app.add_middleware(Crossing, tenancy=app.state.hall.tenancy)
    app.add_middleware(Envelope)
    return app


def _entrance(house: House, identity: Identity) -> Entrance | None:
    plan = house.sign_in
    if plan is None:
        return None
    return Entrance(house.sealer, identity.caller, plan.call_out, house.wall, plan.client_id, plan.discovery_url)
