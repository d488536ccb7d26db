"""What administrators do with other people's agreements and receipts."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from avtale.api.payments.people import encode_subject, subjects

from .conftest import World

ANNA = encode_subject("auth0|anna")
AUTH0 = "auth0|6f2c/ø"


def test_an_id_is_encoded_in_the_form_that_no_path_can_spoil() -> None:
    assert encode_subject(AUTH0).replace("-", "").replace("_", "").isalnum()
    assert subjects(encode_subject(AUTH0)) == [AUTH0, encode_subject(AUTH0)]


@pytest.mark.parametrize(
    "raw", ["auth0|6f2c", "anna", "12345678", "a1b2c3d4-0000-4000-8000-1234567890ab", "a@b.example"]
)
def test_a_subject_that_is_no_canonical_base64url_is_itself(raw: str) -> None:
    assert subjects(raw)[-1] == raw


@pytest.mark.shows("payments:getV1AgreementsAdmin", "payments:getV1ReceiptAdmin", "payments:getV1ReceiptAdmin2")
async def test_an_administrator_reads_somebodys_agreements_and_receipts_in_both_encodings(world: World) -> None:
    agreement = await world.paid()
    for encoded in (encode_subject("auth0|anna"), quote("auth0|anna", safe="")):
        listed = await world.call("GET", f"/api/v1/agreements/admin/{encoded}", token=world.admin())
        assert [one["agreementId"] for one in listed.json["agreements"]] == [agreement["agreementId"]]
        receipts = (await world.call("GET", f"/api/v1/receipt/admin/{encoded}", token=world.admin())).json["receipts"]
        assert [one["amount"]["amount"] for one in receipts] == [9900]
        path = f"/api/v1/receipt/admin/{encoded}/{receipts[0]['receiptId']}"
        assert (await world.call("GET", path, token=world.admin())).json == receipts[0]


@pytest.mark.shows("payments:postV1AgreementsAdminStop")
async def test_an_administrator_stops_somebodys_agreement(world: World) -> None:
    agreement = await world.paid()
    path = f"/api/v1/agreements/admin/{ANNA}/{agreement['agreementId']}/stop"
    stopped = (await world.call("POST", path, token=world.admin())).json
    assert (stopped["status"], stopped["accessUntil"]) == ("stopped", "2027-02-14T23:00:00Z")
    assert (await world.call("POST", path, token=world.admin())).json["status"] == "stopped"


@pytest.mark.shows("payments:getV1AgreementsAdmin", "payments:getV1ReceiptAdmin")
async def test_whom_nobody_knows_is_not_found(world: World) -> None:
    agreement = await world.paid()
    nobody = encode_subject("nobody")
    for method, path in (
        ("GET", f"/api/v1/agreements/admin/{nobody}"),
        ("GET", f"/api/v1/receipt/admin/{nobody}"),
        ("GET", "/api/v1/receipt/admin/%00"),
        ("GET", f"/api/v1/receipt/admin/{ANNA}?issuer=%00"),
        ("POST", f"/api/v1/agreements/admin/{nobody}/{agreement['agreementId']}/stop"),
    ):
        answer = await world.call(method, path, token=world.admin())
        assert (answer.status, answer.code) == (404, "person_unknown")


async def test_the_agreement_of_another_is_not_this_persons(world: World) -> None:
    await world.paid()
    berit = world.bjorn()
    hers = await world.paid(berit)
    path = f"/api/v1/agreements/admin/{ANNA}/{hers['agreementId']}/stop"
    answer = await world.call("POST", path, token=world.admin())
    assert (answer.status, answer.code) == (404, "agreement_not_found")
    hers_now = await world.call("GET", "/api/v1/agreements", token=berit)
    assert hers_now.json["agreements"][0]["status"] == "active"


@pytest.mark.shows("payments:getV1AgreementsAdmin", "payments:getV1ReceiptAdmin")
async def test_no_administrator_no_entry(world: World) -> None:
    agreement = await world.paid()
    for method, path in (
        ("GET", f"/api/v1/agreements/admin/{ANNA}"),
        ("GET", f"/api/v1/receipt/admin/{ANNA}"),
        ("POST", f"/api/v1/agreements/admin/{ANNA}/{agreement['agreementId']}/stop"),
    ):
        answer = await world.call(method, path, token=world.anna())
        assert (answer.status, answer.code) == (403, "admin_only")
        assert (await world.call(method, path)).status == 401
        assert (await world.call(method, path, token=world.admin(), host="avis.localhost")).status == 401
