"""What owners and administrators change in a running agreement, and what they are refused."""

from __future__ import annotations

from typing import Any

import pytest

from avtale.service import pricing
from avtale.service.configuring import apply_tenant
from avtale.service.tenants_file import TenantEntry

from .conftest import Answer, World, tenant_entry

PRODUCT = {
    "currency": "NOK",
    "interval": "month",
    "vat_percent": "25",
    "agreement_url": "https://film.example/me",
}
PRODUCTS = [
    PRODUCT | {"id": "film-month", "name": "Film", "price_minor": 9900},
    PRODUCT | {"id": "film-plus", "name": "Film and sport", "price_minor": 14900},
    PRODUCT | {"id": "film-metered", "name": "By the hour", "price_minor": 4900, "suggested_max_minor": 50000},
]


@pytest.fixture
async def shop(world: World) -> World:
    """A tenant whose owners may not take another plan by themselves."""
    entry = tenant_entry("film", "127.0.0.1", world.film.public_url, world.issuer.url, world.sandbox)
    policy = {"owner_may": ["pause", "resume", "charge_day"]}
    said = entry.model_dump(mode="json") | {"products": PRODUCTS, "policy": policy}
    house = world.house
    world.film = await apply_tenant(
        world.db, house.gateways, house.sealer, "nordlys", TenantEntry.model_validate(said), {}
    )
    return world


async def ask(world: World, agreement: dict[str, Any], verb: str, token: str, key: str = "", **wish: Any) -> Answer:
    path = f"/api/v1/agreements/{agreement['agreementId']}/{verb}"
    return await world.call("POST", path, token=token, json=wish, headers={"Idempotency-Key": key} if key else None)


@pytest.mark.shows(
    "payments:postV1AgreementsPause",
    "payments:postV1AgreementsResume",
    "payments:postV1AgreementsChargeDay",
    "payments:postV1AgreementsPlan",
    "payments:postV1AgreementsPrice",
    "payments:listV1AgreementsChanges",
)
async def test_an_owner_pauses_and_an_administrator_does_what_owners_may_not(shop: World) -> None:
    agreement = await shop.paid()
    paused = await ask(shop, agreement, "pause", shop.anna(), key="p-1")
    assert paused.status == 200, paused.body
    said = paused.json
    assert (said["change"]["status"], said["change"]["takesEffect"]) == ("done", "2027-02-15")
    assert said["agreement"]["pause"] == {
        "since": "2027-01-15T09:00:00Z",
        "beginsOn": "2027-02-15",
        "resumesOn": None,
        "reason": "asked",
    }
    assert said["agreement"]["nextChargeDate"] is None
    assert said["agreement"]["accessUntil"] == "2027-02-14T23:00:00Z"  # without grace
    assert (await ask(shop, agreement, "pause", shop.anna(), key="p-1")).json["change"] == said["change"]
    other = await ask(shop, agreement, "pause", shop.anna(), key="p-1", until="2027-05-01")
    assert (other.status, other.code) == (409, "idempotency_conflict")

    resumed = (await ask(shop, agreement, "resume", shop.anna(), on="2027-03-01")).json
    assert (resumed["agreement"]["pause"], resumed["agreement"]["nextChargeDate"]) == (None, "2027-03-01")
    moved = (await ask(shop, agreement, "charge-day", shop.anna(), day=10)).json
    assert moved["change"]["takesEffect"] == "2027-03-01"
    refused = await ask(shop, agreement, "plan", shop.anna(), productId="film-plus")
    assert (refused.status, refused.code) == (409, "change_not_offered")
    onto = (await ask(shop, agreement, "plan", shop.admin(), productId="film-plus")).json
    assert (onto["agreement"]["productId"], onto["agreement"]["price"]["amount"]) == ("film-plus", 14900)
    dear = await ask(shop, agreement, "price", shop.admin(), amount=15900, effectiveDate="2027-04-01")
    assert (dear.status, dear.json["change"]["status"]) == (200, "planned")
    listed = await shop.call("GET", f"/api/v1/agreements/{agreement['agreementId']}/changes", token=shop.anna())
    kinds = [one["kind"] for one in listed.json["changes"]]
    assert kinds == ["pause", "resume", "charge_day", "plan", "price"]
    await shop.settle()
    (theirs,) = (await shop.control("GET", "/export"))["agreements"]
    shown = await (await shop.house.gateways.recurring(shop.film.id))._calls.call(
        "GET", f"/recurring/v3/agreements/{theirs['agreementId']}"
    )
    assert b'"amount":14900' in shown.body
    assert b"Film and sport" in shown.body


@pytest.mark.shows("payments:postV1AgreementsAmount")
async def test_a_price_that_may_vary_stays_below_its_limit(shop: World) -> None:
    agreement = await shop.subscribe(productId="film-metered")
    said = await ask(shop, agreement, "amount", shop.admin(), amount=31200)
    assert said.json["variablePrice"]["nextAmount"] == {"amount": 31200, "currency": "NOK"}
    for amount, code in ((50001, "price_unsuited"), (99, "price_unsuited")):
        refused = await ask(shop, agreement, "amount", shop.admin(), amount=amount)
        assert (refused.status, refused.code) == (400, code)
    fixed = await shop.subscribe(shop.bjorn())
    refused = await ask(shop, fixed, "amount", shop.admin(), amount=5000)
    assert (refused.status, refused.code) == (409, "price_fixed")


@pytest.mark.shows("payments:postV1ProductsPrice")
async def test_the_price_of_a_product_is_changed_for_everybody_once(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("BATCH_COUNT_MAX", 1), ("BATCHES_COUNT_MAX", 2)):
        monkeypatch.setattr(pricing, name, value)
    people = [shop.anna(), shop.bjorn(), shop.issuer.token("auth0|cecilie")]
    held = [await shop.subscribe(person) for person in people]
    await shop.subscribe(shop.anna(), productId="film-plus")

    async def price(**wish: Any) -> Answer:
        path = f"/api/v1/products/{wish.pop('product', 'film-month')}/price"
        said = {"amount": 10900, "effectiveDate": "2027-03-15"} | wish
        return await shop.call("POST", path, token=wish.pop("token", shop.admin()), json=said)

    counted = [(await price()).json for _ in range(3)]
    told = [(one["planned"], one["plannedBefore"], one["remaining"]) for one in counted]
    assert told == [(2, 0, 1), (1, 2, 0), (0, 3, 0)]
    for agreement, person in zip(held, people, strict=True):
        path = f"/api/v1/agreements/{agreement['agreementId']}/changes"
        (change,) = (await shop.call("GET", path, token=person)).json["changes"]
        assert (change["status"], change["price"]["amount"], change["version"]) == ("planned", 10900, 1)
    refusals = [
        ({"effectiveDate": "2027-02-13"}, 400, "notice_too_short"),
        ({"amount": 99}, 400, "price_unsuited"),
        ({"product": "nothing"}, 400, "product_unknown"),
        ({"product": "film-metered"}, 409, "price_varies"),
    ]
    for wish, status, code in refusals:
        refused = await price(**wish)
        assert (refused.status, refused.code) == (status, code), wish


REFUSED: list[tuple[str, dict[str, Any], int, str]] = [
    ("resume", {}, 409, "agreement_not_paused"),
    ("pause", {"until": "2027-01-14"}, 400, "change_day"),
    ("pause", {"until": "2047-01-14"}, 400, "change_day"),
    ("pause", {"until": "soon"}, 400, "invalid_request"),
    ("pause", {"for": "ever"}, 400, "invalid_request"),
    ("charge-day", {"day": 29}, 400, "invalid_request"),
    ("plan", {"productId": "nothing"}, 400, "product_unknown"),
    ("plan", {"productId": "film-month"}, 409, "agreement_active"),
    ("plan", {"productId": "film-metered"}, 400, "plan_unsuited"),
    ("price", {"amount": 99, "effectiveDate": "2027-06-01"}, 400, "price_unsuited"),
    ("price", {"amount": 12900, "effectiveDate": "2027-02-13"}, 400, "notice_too_short"),
    (
        "price",
        {"amount": 12900, "effectiveDate": "2027-06-01", "noticeDate": "2027-02-13"},
        400,
        "notice_too_short",
    ),
]


async def test_a_change_that_cannot_be_is_refused(shop: World) -> None:
    agreement = await shop.subscribe()
    for verb, wish, status, code in REFUSED:
        refused = await ask(shop, agreement, verb, shop.admin(), **wish)
        assert (refused.status, refused.code) == (status, code), (verb, wish)


async def test_what_is_over_or_paused_is_not_changed(shop: World) -> None:
    agreement = await shop.subscribe()
    await ask(shop, agreement, "pause", shop.admin())
    for verb, wish in (("charge-day", {"day": 3}), ("plan", {"productId": "film-plus"})):
        refused = await ask(shop, agreement, verb, shop.admin(), **wish)
        assert (refused.status, refused.code) == (409, "agreement_paused")
    assert (await ask(shop, agreement, "price", shop.anna(), amount=1, effectiveDate="2027-06-01")).status == 403
    assert (await ask(shop, agreement, "pause", shop.bjorn())).status == 404
    assert (await ask(shop, agreement, "stop", shop.anna())).json["status"] == "stopped"
    refused = await ask(shop, agreement, "resume", shop.anna())
    assert (refused.status, refused.code) == (409, "agreement_not_active")


@pytest.mark.shows("payments:postV1AgreementsWithdraw", "payments:postV1AgreementsCharges", "payments:listV1Dunning")
async def test_an_owner_withdraws_and_an_administrator_charges_besides(shop: World) -> None:
    subscribed = await shop.subscribe(shop.anna(), consents=True)
    assert subscribed["withdrawal"]["consentedAt"] == "2027-01-15T09:00:00Z"
    await shop.settle()
    extra = await ask(shop, subscribed, "charges", shop.admin(), key="e-1", amount=4900, description="A box")
    assert (extra.status, extra.json["period"], extra.json["dueDate"]) == (200, None, "2027-01-16")
    assert (await ask(shop, subscribed, "charges", shop.anna(), amount=4900, description="A box")).status == 403
    for wish, code in (
        ({"amount": 49501, "description": "A box"}, "price_unsuited"),
        ({"amount": 4900, "description": "A box", "dueDate": "2027-01-15"}, "change_day"),
    ):
        refused = await ask(shop, subscribed, "charges", shop.admin(), **wish)
        assert (refused.status, refused.code) == (400, code)

    path = f"/api/v1/agreements/{subscribed['agreementId']}/withdraw"
    assert (await shop.call("POST", path, token=shop.bjorn())).status == 404
    for _ in range(2):
        withdrawn = (await shop.call("POST", path, token=shop.anna())).json
        assert withdrawn["withdrawal"]["withdrawnAt"] == "2027-01-15T09:00:00Z"
        assert withdrawn["accessUntil"] == "2027-01-15T09:00:00Z"
    await shop.settle()
    (listed,) = (await shop.call("GET", "/api/v1/agreements", token=shop.anna())).json["agreements"]
    first = next(charge for charge in listed["charges"] if charge["period"] == 1)
    # One of thirty-one days has begun.
    assert (listed["status"], first["captured"] - first["refunded"]) == ("stopped", 9900 // 31)
    assert (await shop.call("GET", "/api/v1/dunning", token=shop.admin())).json == {"dunnings": []}
    assert (await shop.call("GET", "/api/v1/dunning?limit=0", token=shop.admin())).status == 400
