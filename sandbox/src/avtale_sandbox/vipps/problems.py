"""Error answers of the gateway in front of the APIs, which looks at keys and tokens (API Management)."""

from __future__ import annotations

from http.client import responses

from .exchange import Answer, json_answer

KEY_MISSING = (
    "Access denied due to missing subscription key. "
    "Make sure to include subscription key when making requests to an API."
)
KEY_WRONG = (
    "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription."
)
# That is what the real gateway says to a token that is missing, wrong or expired.
TOKEN_WRONG = "Something went wrong, please try again later"
TOO_MANY = "Rate limit is exceeded. Try again in %d seconds."


def gateway_answer(status: int, message: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Answer:
    """An error in the shape of the gateway: `responseInfo` and `result`."""
    body = {
        "responseInfo": {"responseCode": status, "responseMessage": responses.get(status, "Unassigned")},
        "result": {"message": message},
    }
    return json_answer(status, body, headers=headers)


def apim_answer(status: int, message: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Answer:
    """An error in the shape that API Management has when nobody chose another (as before ePayment)."""
    return json_answer(status, {"statusCode": status, "message": message}, headers=headers)


def turned_away(shape: str, status: int, message: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Answer:
    """An error of the gateway in one of its shapes: `apim` or `response-info`."""
    return (apim_answer if shape == "apim" else gateway_answer)(status, message, headers)
