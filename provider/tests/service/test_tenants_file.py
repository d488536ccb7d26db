"""The page about the tenants file names every key with its default, and its example can be applied."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from avtale.domain.errors import Invalid
from avtale.domain.purchase import PurchaseTerms
from avtale.gateways.outbound import Outbound
from avtale.runtime import TenantGateways
from avtale.service import tenants_file
from avtale.service.configuring import apply_tenant
from avtale.service.tenants_file import read_tenants_file
from avtale.storage import event_lanes, tenants
from avtale.storage.database import Database
from avtale.storage.sealing import Sealer, new_key

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "tenants.md"
SECRETS = {
    "FILM_VIPPS_CLIENT_SECRET": "shown-once",
    "FILM_MIGRATION_SECRET": "what-only-the-mover-knows",
    "FILM_EVENTS_SECRET": "whsec_" + "c2hvd24gb25jZSwgYW5kIGtlcHQgZm9yIGdvb2Q=",
    "FILM_STRIPE_SECRET_KEY": "sk_test_shown-once",
    "FILM_STRIPE_WEBHOOK_SECRET": "whsec_of-the-page",
}

SECTIONS: dict[str, type[BaseModel]] = {
    "Organizations": tenants_file.OrganizationEntry,
    "Tenants": tenants_file.TenantEntry,
    "Seller": tenants_file.SellerEntry,
    "Vipps": tenants_file.VippsEntry,
    "Stripe": tenants_file.StripeEntry,
    "Login": tenants_file.LoginEntry,
    "Issuers": tenants_file.IssuerEntry,
    "Products": tenants_file.ProductEntry,
    "Campaigns": tenants_file.CampaignEntry,
    "Policy": tenants_file.PolicyEntry,
    "Exchange rates": tenants_file.ExchangeRateEntry,
    "Events": tenants_file.EventsEntry,
    "Endpoints": tenants_file.EventEndpointEntry,
    "Customer API": tenants_file.CustomerApiEntry,
    "Clients": tenants_file.ClientEntry,
}


def keys_on_the_page(heading: str) -> dict[str, str]:
    """The table under a heading: each key, and what is said to be its default."""
    text = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", text, re.MULTILINE))


def default_of(model: type[BaseModel], name: str) -> str | None:
    """How a default is to be printed; None where the page says it in words."""
    field = model.model_fields[name]
    if field.is_required():
        return "needed"
    value: Any = field.get_default(call_default_factory=True)
    if value is None or isinstance(value, list | BaseModel):
        return None
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"  # as TOML has it
    return f"`{value.value if isinstance(value, StrEnum) else value}`"


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_key_of_the_file_is_on_the_page_with_its_default(heading: str) -> None:
    model = SECTIONS[heading]
    page = keys_on_the_page(heading)
    assert set(page) == set(model.model_fields), "docs/how-to/tenants.md and service/tenants_file.py name other keys"
    for name, printed in page.items():
        if (default := default_of(model, name)) is None:
            assert not printed.startswith("`"), name
            assert printed != "needed", name
        else:
            assert printed == default, name


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The example of the page as a file, its secret file in a folder that is there."""
    (block,) = re.findall(r"^```toml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (tmp_path / "film-vipps-subscription-key").write_text("key-from-a-file\n", encoding="utf-8")
    file = tmp_path / "tenants.toml"
    file.write_text(block.replace("/run/secrets", str(tmp_path)), encoding="utf-8")
    return file


@pytest.fixture
async def gateways(db: Database) -> AsyncIterator[TenantGateways]:
    async with Outbound() as outbound:
        yield TenantGateways(db, Sealer([new_key()]), outbound, call_seconds_max=1.0)


def test_the_example_of_the_page_has_every_key(example: Path) -> None:
    wanted = read_tenants_file(example)
    (organization,) = wanted.organizations
    (tenant,) = organization.tenants
    assert tenant.customer_api is not None
    assert tenant.stripe is not None
    assert tenant.events is not None
    entries = [organization, tenant, tenant.seller, tenant.vipps, tenant.vipps.login, tenant.stripe, *tenant.issuers]
    entries += [tenant.events, *tenant.events.endpoints]
    for entry in (*entries, tenant.policy, *tenant.exchange_rates, tenant.customer_api, *tenant.customer_api.clients):
        assert entry.model_fields_set == set(type(entry).model_fields), type(entry).__name__
    said = [product.model_fields_set for product in tenant.products]
    assert set().union(*said) == set(tenants_file.ProductEntry.model_fields)
    said = [campaign.model_fields_set for product in tenant.products for campaign in product.campaigns]
    assert set().union(*said) == set(tenants_file.CampaignEntry.model_fields)


async def test_the_example_of_the_page_is_applied(example: Path, db: Database, gateways: TenantGateways) -> None:
    (organization,) = read_tenants_file(example).organizations
    (entry,) = organization.tenants
    tenant = await apply_tenant(db, gateways, gateways.sealer, organization.name, entry, SECRETS)
    async with db.routing() as tx:
        assert await tenants.tenant_by_host(tx, "pay.film.example.test") == tenant
    async with db.tenant(tenant.id) as tx:
        account = await tenants.get_vipps_account(tx)
        issuers = await tenants.get_issuers(tx)
        terms = await tenants.get_product(tx, "film-month")
        once = await tenants.get_product(tx, "film-rent")
        (endpoint,) = await event_lanes.endpoints(tx)
    assert account is not None
    assert gateways.sealer.open(account.client_secret_sealed) == "shown-once"
    assert gateways.sealer.open(account.subscription_key_sealed) == "key-from-a-file"
    assert [issuer.jwks_url for issuer in issuers] == ["http://127.0.0.1:8400/identity/jwks.json"]
    assert (endpoint.name, endpoint.url) == ("crm", "https://crm.film.example.test/events")
    assert gateways.sealer.open(endpoint.secret_sealed) == SECRETS["FILM_EVENTS_SECRET"]
    assert terms is not None
    assert (terms.price.amount, terms.vat_basis_points) == (9900, 2500)
    assert isinstance(once, PurchaseTerms)
    assert (once.price.amount, once.access_days) == (3900, 2)


async def test_applying_again_changes_nothing_and_a_product_that_is_left_out_goes_off_sale(
    example: Path, db: Database, gateways: TenantGateways
) -> None:
    (organization,) = read_tenants_file(example).organizations
    (entry,) = organization.tenants
    first = await apply_tenant(db, gateways, gateways.sealer, organization.name, entry, SECRETS)
    async with db.tenant(first.id) as tx:
        before = await tenants.get_vipps_account(tx)
    without = entry.model_copy(update={"products": []})
    assert await apply_tenant(db, gateways, gateways.sealer, organization.name, without, SECRETS) == first
    async with db.tenant(first.id) as tx:
        assert await tenants.get_vipps_account(tx) == before
        assert await tenants.get_product(tx, "film-month") is None


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ('zone = "Europe/Oslo"', 'zone = "Europe/Atlantis"', "organizations.0.tenants.0.zone"),
        ("retry_days = 5", "retrydays = 5", "organizations.0.tenants.0.vipps.retrydays"),
        ('vat_percent = "25"', 'vat_percent = "-1"', "organizations.0.tenants.0.products.0.vat_percent"),
        ("access_days = 2", "", "a product has an interval (a subscription) or access_days (a single purchase)"),
        ("access_days = 2", 'interval = "day"', "a subscription has an agreement_url"),
        ("access_days = 2", 'access_days = 2\n    interval = "day"', "a product has an interval"),
        ("access_days = 2", 'access_days = 2\n    agreement_url = "https://f.example"', "a single purchase has none"),
        ("access_days = 2", "access_days = 0", "organizations.0.tenants.0.products.1.access_days"),
        ("[[organizations]]", "[[organizations", "cannot be read"),
        ("https://film.example.test/me", "https://me@film.example.test/", "clients.0.return_urls.0"),
        ("https://film.example.test/me", "https://film.example.test/#me", "clients.0.return_urls.0"),
        ("https://film.example.test/sorry", "javascript:alert(1)", "clients.0.error_urls.0"),
        ('"status"', '"a&b"', "clients.0.result_parameter"),
        (
            "access_days = 2",
            'access_days = 2\n    stripe_price = "film"',
            "only a subscription whose price does not vary",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(example: Path, was: str, becomes: str, said: str) -> None:
    text = example.read_text(encoding="utf-8")
    assert was in text
    example.write_text(text.replace(was, becomes), encoding="utf-8")
    with pytest.raises(Invalid, match=re.escape(said)):
        read_tenants_file(example)


async def test_a_grace_that_ends_before_the_last_try_is_refused(
    example: Path, db: Database, gateways: TenantGateways
) -> None:
    (organization,) = read_tenants_file(example).organizations
    short = organization.tenants[0].model_copy(update={"grace_days": 5})
    with pytest.raises(Invalid) as refused:
        await apply_tenant(db, gateways, gateways.sealer, organization.name, short, SECRETS)
    assert refused.value.code == "grace_too_short"


async def test_a_host_of_another_tenant_is_refused_and_nothing_is_written(
    example: Path, db: Database, gateways: TenantGateways
) -> None:
    (organization,) = read_tenants_file(example).organizations
    (entry,) = organization.tenants
    await apply_tenant(db, gateways, gateways.sealer, organization.name, entry, SECRETS)
    other = entry.model_copy(update={"name": "music"})
    with pytest.raises(Invalid) as refused:
        await apply_tenant(db, gateways, gateways.sealer, organization.name, other, SECRETS)
    assert refused.value.code == "host_taken"
    other = entry.model_copy(update={"name": "music", "hosts": ["music.example.test"]})
    with pytest.raises(Invalid) as refused:
        await apply_tenant(db, gateways, gateways.sealer, organization.name, other, SECRETS)
    assert refused.value.code == "stripe_account_taken"
    with pytest.raises(Invalid) as refused:
        await apply_tenant(
            db, gateways, gateways.sealer, organization.name, entry, SECRETS | {"FILM_STRIPE_SECRET_KEY": "sk_live_1"}
        )
    assert refused.value.code == "stripe_mode"
    async with db.routing() as tx:
        assert [tenant.name for tenant in await tenants.all_tenants(tx)] == ["film"]
