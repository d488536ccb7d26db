"""The error codes of ePayment with their titles and statuses, and the problem JSON that carries them."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from ..exchange import PROBLEM_JSON, Answer, Request, json_answer
from ..refusals import Refused

# Code: (status, title). The codes and titles are published; which status goes with which code is not, except
# for a few: see the reference of what is unknown.
CODES: dict[str, tuple[int, str]] = {
    "3010": (500, "Internal error"),
    "4010": (409, "Capture idempotency conflict"),
    "4020": (409, "Idempotency error"),
    "4040": (400, "Invalid amount"),
    "4050": (400, "Invalid CustomerToken"),
    "4060": (400, "Invalid PersonalQr"),
    "4070": (400, "Invalid phone number"),
    "4080": (400, "Invalid scope"),
    "4090": (400, "Invalid URL"),
    "4100": (400, "Metadata capacity exceeded"),
    "4110": (400, "Metadata duplicate keys not allowed"),
    "4120": (400, "Metadata key length exceeded"),
    "4130": (400, "Metadata value length exceeded"),
    "4140": (400, "Missing required parameter"),
    "4150": (409, "Reference exists"),
    "4160": (400, "Invalid payment method type"),
    "5010": (400, "Blocking sources not applicable"),
    "5020": (403, "Express payment not allowed"),
    "5030": (403, "Illegal scope"),
    "5040": (400, "Invalid currency for merchant"),
    "5050": (403, "Long-living payment not allowed"),
    "5060": (403, "Merchant bank account not verified"),
    "5070": (400, "Payment cannot be created"),
    "5080": (403, "PUSH_MESSAGE not allowed"),
    "5090": (404, "Reference not found"),
    "5100": (400, "Refund not possible"),
    "6010": (400, "Amount too small"),
    "6020": (400, "Attempted refund before reservation"),
    "6030": (400, "Cancel period expired"),
    "6040": (400, "Cannot cancel a captured payment"),
    "6050": (400, "Cannot cancel a non-reserved payment"),
    "6060": (400, "Cannot cancel authorized payment"),
    "6070": (400, "Cannot capture a cancelled payment"),
    "6080": (400, "Cannot capture before reservation"),
    "6090": (400, "Capture amount too high"),
    "6100": (400, "Capture period expired"),
    "6110": (400, "Expiration date is too late"),
    "6120": (400, "Expiration date is too soon"),
    "6130": (400, "Long living payments require a receipt"),
    "6140": (400, "Must capture full amount"),
    "6150": (400, "Not enough refundable"),
    "6160": (423, "Order processing"),
    "6170": (400, "Payment already captured"),
    "6180": (400, "Payment already refunded"),
    "6190": (400, "Payment cannot be cancelled"),
    "6200": (400, "Payment cannot be captured"),
    "6210": (400, "Payment cannot be refunded"),
    "6220": (400, "Refund period expired"),
    "6230": (400, "Payment is already reserved"),
    "6250": (400, "Cannot cancel processing payment"),
    "6260": (400, "Funds unavailable"),
    "6280": (500, "Capture failed, please try again later"),
    "7010": (404, "Customer not found"),
    "10010": (400, "Approve failed"),
    "10020": (400, "Approve not allowed"),
    "10030": (400, "Identification required"),
    "10040": (400, "Invalid payment source"),
    "10050": (400, "No cards"),
    "10060": (400, "Operation not supported"),
    "10070": (400, "Payment limit exceeded"),
}

# One code serves two calls, with two titles.
_REFUND_KEY_TITLE = "Refund idempotency conflict"


def problem_answer(request: Request, refused: Refused) -> Answer:
    """A refusal as ePayment spells it: problem JSON, with a code for what the business forbids and none for form."""
    code = _key_code(request.path) if refused.problem == "idempotency-conflict" else refused.problem
    if code not in CODES and _only_wrong_numbers(refused.fields):
        code = "4040"
    if code in CODES:
        status, title = CODES[code]
        if refused.problem == "idempotency-conflict" and code == "4150":
            title = _REFUND_KEY_TITLE
        return _problem(request, status, title, refused.detail, [("ErrorCode", code)])
    if code == "unsupported-media-type":
        return _problem(request, 415, HTTPStatus(415).phrase, refused.detail, [])
    fields = [(name, _sentence(name, reason)) for name, reason in refused.fields]
    detail = "See extraDetails for further details" if fields else refused.detail
    return _problem(request, 400, HTTPStatus(400).phrase, detail, fields)


def _problem(request: Request, status: int, title: str, detail: str, details: Sequence[tuple[str, str]]) -> Answer:
    trace = request.id.replace("-", "")
    body: dict[str, Any] = {
        "type": f"https://httpstatuses.io/{status}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request.path.removeprefix("/epayment"),
        "traceId": f"00-{trace:0<32.32}-{trace[::-1]:0<16.16}-01",
        "extraDetails": [{"name": name, "reason": reason} for name, reason in details],
    }
    return json_answer(status, body, PROBLEM_JSON)


def _key_code(path: str) -> str:
    if path.endswith("/capture"):
        return "4010"
    return "4150" if path.endswith("/refund") else "4020"


def _only_wrong_numbers(fields: Sequence[tuple[str, str]]) -> bool:
    """Whether nothing is wrong but that an amount is no whole number."""
    return bool(fields) and all(
        name.lower().endswith("amount.value") and reason == "must be a whole number" for name, reason in fields
    )


def _sentence(name: str, reason: str) -> str:
    """What is wrong with a field in the manner of the real host, which names it with a capital letter."""
    field = name.rpartition(".")[2] or "body"
    field = field[0].upper() + field[1:]
    if reason.startswith("must match "):
        reason = f"must match the regular expression '{reason.removeprefix('must match ')[1:-1]}'"
    elif reason.startswith("length must be between "):
        least, _, most = reason.removeprefix("length must be between ").partition(" and ")
        reason = f"must be a string with a minimum length of {least} and a maximum length of {most}"
    return f"The field {field} {reason}."
