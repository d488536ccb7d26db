"""More merchants and partners: from a file or by the control API, and none sees what is another's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from avtale_sandbox.server import running
from avtale_sandbox.settings import Settings

ANNA = "4791234567"
V2 = "/recurring/v2/agreements"
V3 = "/recurring/v3/agreements"
PARTNER = {
    "clientId": "partner-id",
    "clientSecret": "partner-secret",
    "subscriptionKey": "partner-key",
    "merchantSerialNumbers": ["123456", "654321"],
}
OTHER = {
    "clientId": "other-id",
    "clientSecret": "other-secret",
    "subscriptionKey": "other-key",
    "merchantSerialNumber": "654321",
}
FILE = """
merchants:
  - clientId: gym-id
    clientSecret: gym-secret
    subscriptionKey: gym-key
    merchantSerialNumber: 112233
    name: Gym
    market: NO
    expressAllowed: true
    redirectUris: [https://gym.example/in]
partners:
  - clientId: partner-id
    clientSecret: partner-secret
    subscriptionKey: partner-key
    merchantSerialNumbers: ["112233"]
"""


def become(sandbox: Any, who: dict[str, Any]) -> None:
    """Call with somebody else's keys from now on."""
    sandbox.keys = {
        "client_id": who["clientId"],
        "client_secret": who["clientSecret"],
        "Ocp-Apim-Subscription-Key": who["subscriptionKey"],
    }
    sandbox.token = ""


async def called_for(sandbox: Any, msn: str | None, method: str, path: str, data: Any = None) -> Any:
    headers = await sandbox.headers()
    if msn is not None:
        headers["Merchant-Serial-Number"] = msn
    return await sandbox.raw(method, path, data, headers)


@pytest.mark.shows("error:gateway-403-msn")
async def test_a_partner_names_the_merchant_it_calls_for(sandbox: Any) -> None:
    mine = await sandbox.agree(scope="name")
    sub = (await sandbox.fetch(mine))["sub"]
    assert (await sandbox.control("POST", "/merchants", OTHER)).status == 201
    assert (await sandbox.control("POST", "/partners", PARTNER)).status == 201
    become(sandbox, PARTNER)
    assert (await called_for(sandbox, "123456", "GET", f"{V3}/{mine}"))["id"] == mine
    assert (await called_for(sandbox, "654321", "GET", f"{V3}/{mine}")).status == 404
    assert (await called_for(sandbox, "123456", "GET", f"{V2}/{mine}"))["id"] == mine
    assert (await called_for(sandbox, "654321", "GET", f"{V2}/{mine}")).status == 400
    userinfo = f"/vipps-userinfo-api/userinfo/{sub}"
    assert (await called_for(sandbox, "123456", "GET", userinfo)).status == 200
    assert (await called_for(sandbox, "654321", "GET", userinfo)).status == 404
    assert (await called_for(sandbox, None, "GET", userinfo)).status == 403
    strange = OTHER | {"clientId": "third-id", "merchantSerialNumber": "777777"}
    assert (await sandbox.control("POST", "/merchants", strange)).status == 201
    for msn in (None, "", "999999", "777777"):
        refused = await called_for(sandbox, msn, "GET", f"{V3}/{mine}")
        assert (refused.status, refused["responseInfo"]["responseCode"]) == (403, 403)


async def test_a_partners_token_and_a_merchants_key_do_not_mix(sandbox: Any) -> None:
    await sandbox.control("POST", "/partners", PARTNER)
    become(sandbox, PARTNER)
    headers = await sandbox.headers() | {"Merchant-Serial-Number": "123456"}
    assert (await sandbox.raw("GET", V3, None, headers)).status == 200
    mixed = headers | {"Ocp-Apim-Subscription-Key": "dev-subscription-key"}
    assert (await sandbox.raw("GET", V3, None, mixed)).status == 401


async def test_partners_are_listed_changed_and_kept_apart_from_merchants(sandbox: Any) -> None:
    assert (await sandbox.control("GET", "/partners")).body == {"partners": []}
    assert (await sandbox.control("POST", "/partners", PARTNER)).status == 201
    assert (await sandbox.control("POST", "/partners", PARTNER | {"merchantSerialNumbers": []})).status == 200
    (listed,) = (await sandbox.control("GET", "/partners"))["partners"]
    assert (listed["clientId"], listed["merchantSerialNumbers"]) == ("partner-id", [])
    assert (await sandbox.control("POST", "/partners", PARTNER | {"clientId": "dev-client-id"})).status == 409
    assert (await sandbox.control("POST", "/partners", PARTNER | {"clientSecret": ""})).status == 400
    taken = OTHER | {"clientId": "partner-id"}
    assert (await sandbox.control("POST", "/merchants", taken)).status == 409
    assert (await sandbox.control("POST", "/merchants", OTHER | {"merchantSerialNumber": "12"})).status == 400
    await sandbox.control("POST", "/reset")
    assert len((await sandbox.control("GET", "/partners"))["partners"]) == 1


async def test_a_file_tells_who_is_there_in_place_of_the_one_for_newcomers(
    sandbox: Any, http: Any, tmp_path: Path
) -> None:
    file = tmp_path / "merchants.yaml"
    file.write_text(FILE)
    settings = Settings(port=0, clock_running=False, merchants_path=str(file))
    async with running(settings) as (url, _):
        other = type(sandbox)(url, http)
        (merchant,) = (await other.control("GET", "/merchants"))["merchants"]
        assert (merchant["merchantSerialNumber"], merchant["name"]) == ("112233", "Gym")
        assert (merchant["market"], merchant["expressAllowed"]) == ("NO", True)
        become(other, PARTNER)
        assert (await called_for(other, "112233", "GET", V3)).body == []
        await other.control("POST", "/reset")
        assert len((await other.control("GET", "/merchants"))["merchants"]) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("merchants: 7", "Expected `array"),
        ("- a", "Expected `object"),
        ("{", "merchants.yaml"),
        ("shops: []", "shops"),
        (FILE.replace("112233\n    name", "1\n    name"), "4 to 7 digits"),
    ],
)
async def test_a_file_that_cannot_be_is_told_at_the_start(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "merchants.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=said):
        async with running(Settings(port=0, merchants_path=str(file))):
            pass


async def test_webhooks_of_one_merchant_tell_nothing_of_another(sandbox: Any, hooked: Any, quiet: Any) -> None:
    await sandbox.control("POST", "/merchants", OTHER)
    become(sandbox, OTHER)
    await sandbox.agree()
    await quiet()
    assert hooked.got == []
