"""Every operation of the contract with every other tenant's ids and tokens: nothing is seen, and nothing changes."""

from __future__ import annotations

import json
from typing import Any

from avtale import __version__
from avtale.api.app import create_contract
from avtale.api.payments.migration import AGREEMENTS_CSV
from avtale.api.payments.people import encode_subject
from avtale.api.publishing import Operation, operations

from .conftest import SECRET, Answer, World

AVIS = "avis.localhost"
ANNA = encode_subject("auth0|anna")
MOVE = "/api/v1/migrate/{organizationId}/{tenantId}/{productGroupId}/{randomValue}"
#: What the paths of a migration to film say.
WHERE_IT_MOVES = {
    "organizationId": "nordlys",
    "tenantId": "film",
    "productGroupId": "film-month",
    "randomValue": f"{SECRET}-film",
    "secretValue": f"{SECRET}-film",
    "tenantName": "film",
    "numberOfUsers": "10",
    "isProd": "false",
}
CHECKOUT = {"productId": "film-month", "returnUrl": "https://film.example/back"}

#: A body that each operation takes, where it takes one.
BODIES: dict[str, Any] = {
    "postV1PayVippsCheckout": CHECKOUT,
    "postV1PayStripeCheckout": {"productId": "film-month"},
    "postV1PayStripeTvod": {"productId": "film-rent"},
    "postV1Customer": {"email": "anna@film.example"},
    "putV1Customer": {"email": "anna@film.example"},
    "postV1AgreementsAdminCreate": {
        "subject": "auth0|anna",
        "productId": "film-month",
        "reason": "repair",
        "end": "2027-03-01",
    },
    "patchV1AgreementsVippsForceaccept": {"phoneNumber": "4791234567"},
    "postV1PeopleAdminErase": {"why": "Asked for it"},
    "postV1EntitlementsCheck": {"productIds": ["film-month"]},
    "postV1EventsEndpoints": {"url": "https://film.example/events"},
    "patchV1EventsEndpoints": {"types": ["charge.paid"]},
    "postV1EventsEndpointsReplay": {"after": "0"},
    "postV1EventsEndpointsSecret": {"overlapHours": 24},
    "postV1AgreementsCharges": {"amount": 4900, "description": "Delivery"},
    "postV1AgreementsPause": {"until": "2027-09-01"},
    "postV1AgreementsResume": {},
    "postV1AgreementsChargeDay": {"day": 20},
    "postV1AgreementsPlan": {"productId": "film-year"},
    "postV1AgreementsPrice": {"amount": 10900, "effectiveDate": "2030-01-01"},
    "postV1ProductsPrice": {"amount": 10900, "effectiveDate": "2030-01-01"},
    "postV1AgreementsAmount": {"amount": 5000},
    "postV1ChargesRefunds": {"amount": 100, "reason": "Sorry"},
}
#: What makes something of the caller's own at the tenant that is asked, whoever else has ids elsewhere.
OWN = {
    "postV1PayVippsCheckout",
    "postV1PayStripeCheckout",
    "postV1PayStripeTvod",
    "postV1Customer",
    "postV1AgreementsAdminCreate",
    "postV1AuthSetup",
    "postV1EventsEndpoints",
}
#: What only a customer at Stripe has; avis has no account there.
AT_STRIPE = {"listV1Customer", "putV1Customer", "listV1CustomerPaymentMethods", "deleteV1CustomerPaymentMethodsRemove"}
#: What is about a tenant as a whole, and so about avis alone.
WHOLE = {
    "listV1Dunning",
    "listV1ConfigErrors",
    "exportV1Audit",
    "listV1Events",
    "listV1EventsEndpoints",
    "listV1Imports",
    "postV1ProductsPrice",
}


def asked() -> list[Operation]:
    """Every operation that asks for a token, those last that make something of the caller's own."""
    found = [one for one in operations(create_contract(__version__).openapi()) if one.said.get("security")]
    return sorted(found, key=lambda one: one.id in OWN)


async def send(world: World, one: Operation, ids: dict[str, str], token: str | None, host: str | None) -> Answer:
    return await world.call(one.method, one.path.format(**ids), token=token, json=BODIES.get(one.id), host=host)


async def ids_at_film(world: World) -> dict[str, str]:
    """Something of Anna's behind every id that a path can have."""
    agreement = await world.paid()
    endpoint = {"url": "https://crm.film.example/events"}
    added = (await world.call("POST", "/api/v1/events/endpoints", token=world.admin(), json=endpoint)).json
    (receipt,) = (await world.call("GET", "/api/v1/receipt", token=world.anna())).json["receipts"]
    return {
        "agreementId": agreement["agreementId"],
        "chargeId": agreement["charges"][0]["chargeId"],
        "receiptId": receipt["receiptId"],
        "endpointId": added["endpointId"],
        # Nothing is bought here: at another tenant that makes no difference.
        "purchaseId": agreement["agreementId"],
        "encodedId": ANNA,
        "productId": "film-month",
        "importId": await handed_in(world),
        "paymentMethodId": await card(world),
        **WHERE_IT_MOVES,
    }


async def card(world: World) -> str:
    """A card of Anna's at Stripe."""
    made = await world.call("POST", "/api/v1/customer/", token=world.anna(), json={"name": "Anna"})
    assert made.status == 200, made.body
    data = {"customer": made.json["customerId"]}
    return str((await world.stripe("POST", "/payment_methods/pm_card_visa/attach", data))["id"])


async def handed_in(world: World) -> str:
    """A file at film whose one row is reported, and could be applied."""
    order = {"agreements": [{"phoneNumber": "4790000001", "amount": 9900, "start": "2026-06-01"}]}
    (moved,) = (await world.control("POST", "/past-agreements", order))["agreementIds"]
    path = MOVE.format(**WHERE_IT_MOVES) + "?dryRun"
    data = AGREEMENTS_CSV.replace("agr_5kSeqz7", moved).replace("anna", "moved").encode()
    sent = await world.call("POST", path, token=world.admin(), data=data, headers={"Content-Type": "text/csv"})
    assert sent.status == 200, sent.body
    await world.settle()
    return str(sent.json["importId"])


async def books(world: World) -> Any:
    return (await world.call("GET", "/api/v1/audit/export", token=world.admin())).json


async def test_every_operation_with_another_tenants_ids(world: World) -> None:
    ids = await ids_at_film(world)
    before = await books(world)
    secrets = [value for name, value in ids.items() if name not in ("encodedId", "productId", *WHERE_IT_MOVES)]
    seen = 0
    for one in asked():
        for token in (world.anna(aud="avis"), world.admin(aud="avis")):
            answer = await send(world, one, ids, token, AVIS)
            named = "{" in one.path
            if one.id in AT_STRIPE:
                assert (answer.status, answer.code) == (409, "stripe_not_configured"), one.id
            elif one.id not in OWN | WHOLE and answer.status != 403:
                assert (answer.status == 404) if named else (answer.status == 200), (one.id, answer.body)
            if answer.status == 200 and one.id not in OWN:
                assert not any(secret in answer.body.decode() for secret in secrets), one.id
            seen += 1
    assert seen >= 2 * 15
    assert await books(world) == before


async def test_every_operation_with_another_tenants_tokens(world: World) -> None:
    ids = await ids_at_film(world)
    for one in asked():
        for token in (world.anna(), world.admin()):
            answer = await send(world, one, ids, token, AVIS)
            assert (answer.status, answer.code) == (401, "token_invalid"), one.id


async def test_every_operation_as_nobody_and_as_a_stranger(world: World) -> None:
    ids = await ids_at_film(world)
    before = await books(world)
    for one in asked():
        answer = await send(world, one, ids, None, None)
        assert (answer.status, answer.code) == (401, "token_missing"), one.id
        if one.id in OWN:
            continue
        answer = await send(world, one, ids, world.bjorn(), None)
        if "{" in one.path or one.id in WHOLE | AT_STRIPE - {"listV1CustomerPaymentMethods"}:
            assert answer.status in (403, 404), (one.id, answer.body)
        else:
            assert answer.status == 200, (one.id, answer.body)
            assert not any(json.loads(answer.body).values()), one.id
    assert await books(world) == before
