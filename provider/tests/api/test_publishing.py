"""The contract as it is published: never stale, each slice whole in itself, and nothing promised that is missing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from avtale import __version__
from avtale.api.app import create_contract
from avtale.api.publishing import INDEX, by_tag, operations, published, slice_name

from .conftest import World

FOLDER = Path(__file__).parents[3] / "docs" / "openapi"

#: Every operation id that callers were promised, by tag.
SEED = {
    "Stripe Checkout": "postV1PayStripeCheckout postV1PayStripeTvod",
    "Stripe Webhooks": "postV1WebhookStripe postV1WebhookStripe2",
    "Customer": "listV1Customer postV1Customer putV1Customer listV1CustomerPaymentMethods"
    " deleteV1CustomerPaymentMethodsRemove",
    "Agreements": "listV1Agreements postV1AgreementsStop getV1AgreementsAdmin postV1AgreementsAdminStop"
    " postV1AgreementsAdminCreate patchV1AgreementsVippsForceaccept deleteV1AgreementsVippsForcedelete",
    "Vipps": "postV1PayVippsCheckout getV1PayVippsRecurringAgreements postV1ProviderVippsLoginOauth2Token"
    " getV1ProviderVippsLoginParameters",
    "Vipps Webhooks": "postV1WebhookVipps",
    "Receipts": "listV1Receipt getV1Receipt getV1ReceiptAdmin getV1ReceiptAdmin2",
    "Auth": "postV1AuthSetup",
    "Config": "listV1ConfigErrors",
    "Migration": "postV1Migrate postV1MigrateDashboardAgreements postV1MigrateDashboardCharges"
    " postV1MigrateFixAgreements postV1MigrateFixCharges getV1MigratePrepare postV1MigrateRecreate"
    " postV1MigrateSpecial postV1MigrateV2",
    "Health": "listAdminHealthLive listAdminHealthReady",
}


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    return create_contract(__version__).openapi()


def test_the_committed_files_are_what_the_code_says(contract: dict[str, Any]) -> None:
    wanted = published(contract)
    found = {path.relative_to(FOLDER).as_posix(): path.read_text("utf-8") for path in FOLDER.rglob("*.*")}
    assert found.keys() == wanted.keys(), "run `avtale openapi`"
    stale = [name for name in wanted if found[name] != wanted[name]]
    assert not stale, "run `avtale openapi`"


def test_every_promised_operation_is_published(contract: dict[str, Any]) -> None:
    promised = {name: tag for tag, names in SEED.items() for name in names.split()}
    assert len(promised) == 38
    here = {one.id: one.tag for one in operations(contract)}
    assert {name: here.get(name) for name in promised} == promised


def test_the_index_is_compact_and_names_every_operation(contract: dict[str, Any]) -> None:
    text = published(contract)[INDEX]
    for one in operations(contract):
        assert f"### {one.method} {one.path} `{one.id}`" in text
    assert len(text) < 40_000


def test_a_slice_leads_nowhere_outside_itself(contract: dict[str, Any]) -> None:
    files = published(contract)
    seen: list[str] = []
    for tag in by_tag(contract):
        said = json.loads(files[slice_name(tag)])
        seen += [operation["operationId"] for methods in said["paths"].values() for operation in methods.values()]
        used = set(re.findall(r'"#/components/schemas/([^"]+)"', files[slice_name(tag)]))
        assert used == set(said["components"]["schemas"]), tag
    assert sorted(seen) == sorted(one.id for one in operations(contract))


async def test_the_contract_is_read_in_a_browser_and_by_programs(world: World) -> None:
    for path in ("/docs", "/docs/"):
        page = await world.call("GET", path)
        assert page.status == 200
        text = page.body.decode()
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert not re.search(r"""(src|href)=["']?(https?:)?//""", text), "nothing is fetched from elsewhere"
        for one in operations(create_contract("1.2.3").openapi()):
            assert f'id="{one.id}"' in text
    for name, said in published(create_contract("1.2.3").openapi()).items():
        answer = await world.call("GET", f"/docs/{name}")
        assert (answer.status, answer.body.decode()) == (200, said)
    for name in ("nothing.json", "../pyproject.toml", "tags", "tags/%2e%2e/x"):
        assert (await world.call("GET", f"/docs/{name}")).status == 404
