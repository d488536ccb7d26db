"""What is asked wrongly is refused in OAuth's words, and never by sending the browser to a stranger."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avtale_sandbox.identity.clients import is_loopback

RETURN_TO = "http://127.0.0.1:9/return?shop=film"


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "unknown"},
        {"client_id": None},
        {"client_id": "robot"},
        {"redirect_uri": None},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": "http://127.0.0.1@evil.example/"},
        {"redirect_uri": "http://127.0.0.1:9\\@evil.example/"},
        {"redirect_uri": "http://127.0.0.1.evil.example/"},
        {"redirect_uri": "javascript:alert(1)//127.0.0.1"},
        {"client_id": "server", "redirect_uri": "https://gym.example/return/"},
        {"client_id": "server", "redirect_uri": "http://127.0.0.1:9/return"},
    ],
)
async def test_without_a_known_application_and_address_nobody_is_sent_anywhere(
    issuer: Any, changes: dict[str, str | None]
) -> None:
    for answer in (
        await issuer.ask(**changes),
        await issuer.sign_in({"subject": "phone|4791234567"}, **changes),
    ):
        assert (answer.status, answer.location) == (400, "")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_mode": "form_post"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"request": "ey"}, "request_not_supported"),
        ({"request_uri": "https://x"}, "request_uri_not_supported"),
    ],
)
async def test_a_wrong_question_is_answered_at_the_redirect_address(
    issuer: Any, changes: dict[str, str | None], error: str
) -> None:
    answer = await issuer.ask(**changes)
    assert answer.status == 303
    assert answer.location.startswith(RETURN_TO + "&error=")
    assert (answer.sent["error"], answer.sent["state"]) == (error, "a state & more")
    assert answer.sent["error_description"]


async def test_a_doubled_parameter_is_refused(issuer: Any) -> None:
    async with issuer.http.get(issuer.question() + "&scope=openid", allow_redirects=False) as answer:
        assert "error=invalid_request" in answer.headers["Location"]


async def test_the_question_may_be_posted(issuer: Any) -> None:
    form = {"client_id": "web", "redirect_uri": RETURN_TO, "response_type": "token", "state": "s"}
    async with issuer.http.post(f"{issuer.url}/authorize", data=form, allow_redirects=False) as answer:
        assert "error=unsupported_response_type" in answer.headers["Location"]
    async with issuer.http.post(f"{issuer.url}/authorize", json=form, allow_redirects=False) as answer:
        assert answer.status == 400


async def test_a_registered_application_returns_to_its_own_addresses_only(issuer: Any) -> None:
    # It has a secret, so that it may do without PKCE.
    asked = {"client_id": "server", "code_challenge": None, "code_challenge_method": None}
    answer = await issuer.sign_in({"subject": "phone|4791234567"}, redirect_uri="gymapp://back", **asked)
    assert answer.location.startswith("gymapp://back?code=")
    # A state that is left out is not made up.
    answer = await issuer.ask(redirect_uri="https://gym.example/return", state=None, **asked)
    assert answer.location.startswith("https://gym.example/return?code=")
    assert "state" not in answer.sent


async def test_an_application_can_be_registered_while_it_runs(issuer: Any) -> None:
    order = {"clientId": "new", "name": "New shop", "redirectUris": ["https://new.example/cb"]}
    status, shown = await issuer.control("clients", order)
    assert (status, shown["clientId"], "clientSecret" in shown) == (200, "new", False)
    assert (await issuer.ask(client_id="new", redirect_uri="https://new.example/cb")).status == 200
    for wrong in (
        {},
        {"clientId": "", "name": "x"},
        {"clientId": "x", "name": "x", "machine": True},
        {"clientId": "x", "name": "x", "clientSecret": ""},
        {"clientId": "x", "name": "x", "redirectUris": ["javascript:alert(1)"]},
        {"clientId": "x", "name": "x", "redirectUris": ["//["]},
        {"clientId": "x", "name": "x", "colour": "red"},
        [],
    ):
        status, problem = await issuer.control("clients", wrong)
        assert (status, problem["status"]) == (400, 400), wrong


@pytest.mark.parametrize(
    ("uri", "is_so"),
    [
        ("http://127.0.0.1:8300/x?y", True),
        ("http://127.9.9.9", True),
        ("http://localhost:1/", True),
        ("http://film.localhost:1/", True),
        ("http://[::1]:80/", True),
        ("https://localhost/", True),
        ("http://localhost.example/", False),
        ("http://10.0.0.1/", False),
        ("http://localhost:port/", False),
        ("http://localhost#x", False),
        ("http://a@localhost/", False),
        ("http://local host/", False),
        ("ftp://localhost/", False),
        ("//localhost/", False),
        ("http://[/", False),
        ("", False),
    ],
)
def test_which_addresses_are_this_machine(uri: str, is_so: bool) -> None:
    assert is_loopback(uri) is is_so


@given(st.text())
def test_no_text_confuses_the_check_of_an_address(text: str) -> None:
    is_loopback(text)
    assert not is_loopback(f"http://{text}.example/")
