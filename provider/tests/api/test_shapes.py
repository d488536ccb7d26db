"""What a checkout may say of addresses and telephones."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from avtale.api.payments.kinds import RETURN_URL_LENGTH_MAX
from avtale.api.payments.shapes import CheckoutRequest


def wish(**more: Any) -> CheckoutRequest:
    return CheckoutRequest.model_validate({"productId": "film-month", "returnUrl": "https://film.example/"} | more)


@pytest.mark.parametrize(
    "url",
    [
        "https://film.example",
        "http://127.0.0.1:8000/back?x=1&y=%C3%A5#top",
        "https://[::1]:8000/",
        "HTTPS://film.example/",
        "myapp://home",
        "no.nordlys.film+beta://return/1?x=y",
        "https://film.example/" + "x" * (RETURN_URL_LENGTH_MAX - len("https://film.example/")),
    ],
)
def test_where_to_return(url: str) -> None:
    assert wish(returnUrl=url).return_url == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "film.example",
        "/back",
        "//film.example/back",
        "https:film.example",
        "https://",
        "https:///back",
        "https://?x",
        "https://film.example:port/",
        "https://film.example:99999/",
        "https://[::1/",
        "https://user@film.example/",
        "https://film.example@evil.example/",
        "https://film.example\\@evil.example/",
        "https://film.example/a b",
        "https://film.example/\n",
        "https://film.example/\x00",
        " https://film.example/",
        "https://film.example/å",
        "https://film.example/<script>",
        'https://film.example/"',
        "javascript://film.example/%0aalert(1)",
        "JavaScript://x",
        "data://text/html,x",
        "vbscript://x",
        "file:///etc/passwd",
        "myapp:home",
        "1app://home",
        "https://film.example/" + "x" * RETURN_URL_LENGTH_MAX,
    ],
)
def test_where_nobody_is_sent(url: str) -> None:
    with pytest.raises(ValidationError):
        wish(returnUrl=url)


def test_our_reference_fits_behind_the_longest_address() -> None:
    assert RETURN_URL_LENGTH_MAX + len("&agreementId=") + 36 <= 1024


@pytest.mark.parametrize("number", ["4791234567", "358401234567", "123456789012345"])
def test_a_phone_number_is_digits_with_the_country_first(number: str) -> None:
    assert wish(phoneNumber=number).phone_number == number


@pytest.mark.parametrize(
    "number",
    ["", "91234567", "+4791234567", "47 91 23 45 67", "４７９１２３４５６７", "1" * 16, "4791234567\n", 4791234567],
)
def test_what_is_no_phone_number(number: object) -> None:
    with pytest.raises(ValidationError):
        wish(phoneNumber=number)


@pytest.mark.parametrize(
    "more", [{"isApp": 1}, {"isApp": "true"}, {"productID": "x"}, {"product_id": "x", "productId": "y"}]
)
def test_types_are_exact_and_typing_errors_are_told(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        wish(**more)
