"""The example that the contract has for each operation runs as it stands, once its places are filled in."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

import pytest

from avtale import __version__
from avtale.api.app import create_contract
from avtale.api.publishing import example, operations
from avtale.domain.agreement import Terms
from avtale.domain.money import Money
from avtale.domain.purchase import PurchaseTerms
from avtale.storage import tenants

from .conftest import ADMIN, World
from .test_sign_in import PARAMETERS, code_of
from .test_tenants_apart import ids_at_film

MOVIE = PurchaseTerms(
    product_id="movie",
    name="En film",
    description=None,
    price=Money(4900, "NOK"),
    access_days=2,
    vat_basis_points=2500,
)
CONTRACT = create_contract(__version__).openapi()
#: What Vipps or Stripe alone can send, since nobody else can sign it.
SIGNED = {"postV1WebhookVipps", "postV1WebhookStripe", "postV1WebhookStripe2"}
#: What needs somebody who subscribes to nothing yet, or something that is still a draft.
VARIABLE = {"postV1AgreementsAmount"}
WITHDRAWN = {"postV1AgreementsWithdraw"}
FRESH = {"postV1PayVippsCheckout", "postV1PayStripeCheckout", "postV1PayStripeTvod"}
DRAFTS = {"patchV1AgreementsVippsForceaccept", "deleteV1AgreementsVippsForcedelete"}


async def fill(world: World) -> dict[str, str]:
    async with world.db.tenant(world.film.id) as tx:
        month = await tenants.get_product(tx, "film-month")
        assert isinstance(month, Terms)
        metered = replace(month, product_id="film-metered", suggested_max=50000)
        year = replace(month, product_id="film-year", price=Money(99000, "NOK"))
        await tenants.save_products(tx, [month, MOVIE, metered, year])
    await world.stripe_price()
    ids = await ids_at_film(world)
    bought = await world.draft(productId="movie")
    drafted = await world.draft(world.bjorn())
    variable = await world.subscribe(world.issuer.token("auth0|cecilie"), productId="film-metered")
    code = await code_of(world, (await world.call("GET", PARAMETERS)).json)
    return ids | {
        "purchaseId": bought["purchaseId"],
        "variableId": variable["agreementId"],
        "withdrawnId": (await world.paid(world.issuer.token("auth0|dina")))["agreementId"],
        "draftId": drafted["agreementId"],
        "code": code,
        "organizationName": "nordlys",
        "tenantName": "film",
        "organization": "nordlys",
        "tenant": "film",
    }


async def test_every_example_runs(world: World) -> None:
    places = await fill(world)
    for one in operations(CONTRACT):
        text = example(CONTRACT, one).replace("$AVTALE", "").replace("$CODE", places["code"])
        for name, value in places.items():
            other = "draftId" if one.id in DRAFTS else "variableId" if one.id in VARIABLE else name
            other = "withdrawnId" if one.id in WITHDRAWN else other
            wanted = places[other] if name == "agreementId" else value
            text = text.replace(f"{{{name}}}", wanted)
        subject = f"auth0|new {one.id}" if one.id in FRESH else "auth0|anna"
        words = shlex.split(text.replace("$TOKEN", world.issuer.token(subject, roles=[ADMIN])))
        method, path, headers, body = read(words)
        if body == "@rows.csv":
            body = one.said["requestBody"]["content"]["text/csv"]["schema"]["examples"][0]
        answer = await world.call(method, path, headers=headers, data=body.encode() if body else None)
        if one.id in SIGNED:
            assert (answer.status, answer.code[:8]) == (400, "webhook_")
        else:
            wanted = 409 if one.id == "postV1PeopleAdminErase" else 200
            assert answer.status == wanted, (one.id, text, answer.body)
            assert "{" not in path


def read(words: list[str]) -> tuple[str, str, dict[str, str], str]:
    """What curl would send."""
    assert words[0] == "curl"
    method, path, headers, parts = "GET", "", {}, []
    rest = iter(words[1:])
    for word in rest:
        if word == "-X":
            method = next(rest)
        elif word == "-H":
            name, _, value = next(rest).partition(": ")
            headers[name] = value
        elif word in ("-d", "--data-binary"):
            parts.append(next(rest))
        else:
            path = word
    if parts:
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    return method, path, headers, "&".join(parts)


@pytest.mark.parametrize("one", operations(CONTRACT), ids=lambda one: one.id)
def test_an_example_says_what_is_to_be_filled_in_and_nothing_else(one: object) -> None:
    text = example(CONTRACT, one)  # type: ignore[arg-type]
    assert text.startswith("curl ")
    assert json.dumps(text)
    assert "'" not in text.replace("-d '{", "").replace("}'", "")
