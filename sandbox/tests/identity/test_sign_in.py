"""A person signs in to an application, stays signed in, and signs out."""

from __future__ import annotations

import re
from typing import Any

import pytest


async def test_a_person_signs_in_and_the_application_learns_who_it_is(issuer: Any) -> None:
    page = await issuer.ask()
    assert page.status == 200
    assert "Anna Berg" in page.text

    answer = await issuer.sign_in({"subject": "phone|4791234567"})
    assert answer.status == 303
    assert answer.location.startswith("http://127.0.0.1:9/return?shop=film&code=")
    assert answer.sent["state"] == "a state & more"
    assert answer.sent["iss"] == issuer.url

    status, tokens = await issuer.redeem(answer.sent["code"])
    assert status == 200
    assert (tokens["token_type"], tokens["expires_in"], tokens["scope"]) == (
        "Bearer",
        3600,
        "openid profile phone",
    )
    about = await issuer.claims(tokens["id_token"])
    assert about["sub"] == "phone|4791234567"
    assert (about["aud"], about["iss"], about["nonce"]) == ("web", issuer.url, "n-1")
    assert (about["name"], about["family_name"]) == ("Anna Berg", "Berg")
    assert about["phone_number"] == "+4791234567"
    assert "email" not in about  # not asked for
    access = await issuer.claims(tokens["access_token"])
    assert (access["sub"], access["aud"], access["iss"]) == ("phone|4791234567", "avtale", issuer.url)
    assert (access["iat"], access["exp"]) == (1_800_000_000, 1_800_003_600)
    assert "roles" not in access


async def test_the_names_of_people_cannot_break_the_page(issuer: Any) -> None:
    page = await issuer.ask()
    assert "Ola &lt;b&gt;Nordmann&lt;/b&gt;" in page.text
    assert "<b>Nordmann" not in page.text
    page = await issuer.ask(login_hint='"><script>alert(1)</script>', state='"><script>alert(2)</script>')
    assert "<script" not in page.text


async def test_who_has_signed_in_once_is_not_asked_again_until_the_session_ends(issuer: Any) -> None:
    await issuer.sign_in({"subject": "phone|4791234567"})
    again = await issuer.ask(prompt=None, client_id="web")
    assert (again.status, "code" in again.sent) == (303, True)
    assert (await issuer.ask(prompt="none")).sent["code"]
    issuer.wall.now += 8 * 3600
    assert (await issuer.ask()).status == 200


async def test_prompt_and_max_age_ask_again(issuer: Any) -> None:
    await issuer.sign_in({"subject": "phone|4791234567"})
    assert (await issuer.ask(prompt="login")).status == 200
    assert (await issuer.ask(prompt="select_account")).status == 200
    assert (await issuer.ask(max_age="60")).status == 303
    issuer.wall.now += 61
    assert (await issuer.ask(max_age="60")).status == 200


async def test_prompt_none_never_shows_a_page(issuer: Any) -> None:
    answer = await issuer.ask(prompt="none")
    assert (answer.status, answer.sent["error"]) == (303, "login_required")
    assert answer.sent["state"] == "a state & more"


async def test_a_forged_or_foreign_cookie_is_nobody(issuer: Any) -> None:
    port = re.search(r":(\d+)", issuer.url)
    assert port is not None
    for value in ("nonsense", "e30.abc", "", "....", "å.æ"):
        headers = {"Cookie": f"sandbox_identity_{port[1]}={value}".encode().decode("latin-1")}
        async with issuer.http.get(issuer.question(), headers=headers, allow_redirects=False) as answer:
            assert answer.status == 200


async def test_somebody_with_a_number_nobody_had_becomes_a_test_person(issuer: Any) -> None:
    answer = await issuer.sign_in({"name": "Kari  Dahl", "phone": "+47 900 11 222"})
    _, tokens = await issuer.redeem(answer.sent["code"])
    assert (await issuer.claims(tokens["id_token"]))["name"] == "Kari Dahl"
    assert issuer.people.get("4790011222").name == "Kari Dahl"
    # Eight digits are a Norwegian number; who has one keeps their name.
    answer = await issuer.sign_in({"name": "Another Name", "phone": "90011222"})
    _, tokens = await issuer.redeem(answer.sent["code"])
    about = await issuer.claims(tokens["id_token"])
    assert (about["sub"], about["name"]) == ("phone|4790011222", "Kari Dahl")


async def test_somebody_who_gives_only_a_name_is_the_same_person_next_time(issuer: Any) -> None:
    subjects = []
    for typed in ("Per Gynt", "per  gynt"):
        answer = await issuer.sign_in({"name": typed, "phone": ""})
        _, tokens = await issuer.redeem(answer.sent["code"])
        subjects.append((await issuer.claims(tokens["access_token"]))["sub"])
    assert subjects[0] == subjects[1]
    assert subjects[0].startswith("name|")
    assert "phone_number" not in await issuer.claims(tokens["id_token"])


@pytest.mark.parametrize(
    "choice",
    [
        {},
        {"name": " ", "phone": ""},
        {"name": "x" * 81},
        {"phone": "12"},
        {"phone": "call me"},
        {"phone": "٤٧٩١٢٣٤٥٦٧"},
        {"subject": "phone|nobody"},
        {"subject": "operator|other"},
    ],
)
async def test_who_names_nobody_is_asked_again(issuer: Any, choice: dict[str, str]) -> None:
    before = len(issuer.people.all())
    answer = await issuer.sign_in(choice)
    assert answer.status == 400
    assert 'role="alert"' in answer.text
    assert len(issuer.people.all()) == before


async def test_an_operator_has_roles(issuer: Any) -> None:
    answer = await issuer.sign_in({"subject": "operator|demo"})
    _, tokens = await issuer.redeem(answer.sent["code"])
    assert (await issuer.claims(tokens["access_token"]))["roles"] == ["avtale:admin"]


async def test_cancelling_tells_the_application(issuer: Any) -> None:
    answer = await issuer.sign_in({"cancel": "1"})
    assert (answer.sent["error"], answer.sent["state"]) == ("access_denied", "a state & more")


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://["])
async def test_another_site_cannot_sign_somebody_in(issuer: Any, origin: str) -> None:
    answer = await issuer.sign_in({"subject": "phone|4791234567"}, origin=origin)
    assert answer.status == 403
    assert answer.location == ""


async def test_a_form_that_says_nothing_of_its_origin_is_refused(issuer: Any) -> None:
    url = issuer.question().replace("/authorize?", "/sign-in?")
    async with issuer.http.post(url, data={"subject": "phone|4791234567"}) as answer:
        assert answer.status == 403


async def test_signing_out_with_the_id_token_returns_to_the_application(issuer: Any) -> None:
    tokens = await issuer.signed_in()
    url = f"{issuer.url}/end-session"
    question = {
        "id_token_hint": tokens["id_token"],
        "post_logout_redirect_uri": "http://localhost:9/bye",
        "state": "s",
    }
    async with issuer.http.get(url, params=question, allow_redirects=False) as answer:
        assert answer.headers["Location"] == "http://localhost:9/bye?state=s"
    assert (await issuer.ask()).status == 200


async def test_signing_out_without_a_hint_asks_the_person_first(issuer: Any) -> None:
    await issuer.signed_in()
    url = f"{issuer.url}/end-session"
    async with issuer.http.get(url) as answer:
        assert "Sign out?" in await answer.text()
    assert (await issuer.ask()).status == 303
    async with issuer.http.post(url, data={"sure": "1"}, headers={"Origin": "http://evil.example"}) as answer:
        assert "Sign out?" in await answer.text()
    assert (await issuer.ask()).status == 303
    async with issuer.http.post(url, data={"sure": "1"}, headers={"Origin": issuer.origin}) as answer:
        assert "You are signed out" in await answer.text()
    assert (await issuer.ask()).status == 200


async def test_signing_out_never_leads_to_a_strange_address(issuer: Any) -> None:
    tokens = await issuer.signed_in()
    question = {
        "id_token_hint": tokens["id_token"],
        "post_logout_redirect_uri": "https://evil.example/",
    }
    async with issuer.http.get(f"{issuer.url}/end-session", params=question, allow_redirects=False) as answer:
        assert answer.status == 400


async def test_pages_let_nothing_inline_run_and_nobody_frame_them(issuer: Any) -> None:
    async with issuer.http.get(issuer.question()) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        text = await answer.text()
    assert " style=" not in text
    assert "<script" not in text
