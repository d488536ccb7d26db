"""Every shape of error that Vipps and what stands before it have been seen to answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avtale.domain.outcome import Refused, Throttled, Unknown
from avtale.gateways.outbound import Answer
from avtale.gateways.vipps.refusals import judge, refusal, retry_after_seconds

WALL = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
PROBLEMS = "https://developer.vippsmobilepay.com/docs/APIs/recurring-api/recurring-api-problems"

PROBLEM = {
    "type": f"{PROBLEMS}#illegal-agreement-update",
    "title": "Bad Request",
    "status": 400,
    "detail": "Illegal update",
    "instance": "/vipps-recurring-merchant-api/v3/agreements/agr_1",
    "contextId": "4a1f",
}


@pytest.mark.parametrize(
    ("status", "body", "code", "detail"),
    [
        (400, PROBLEM, "illegal-agreement-update", "Illegal update"),
        (
            400,
            {
                **PROBLEM,
                "extraDetails": [{"name": "status", "reason": "not active"}, {"field": "f", "text": "t"}],
            },
            "illegal-agreement-update",
            "Illegal update; status: not active; f: t",
        ),
        (
            400,
            {**PROBLEM, "extraDetails": {"status": "Cannot modify it."}},
            "illegal-agreement-update",
            "Illegal update; status: Cannot modify it.",
        ),
        (
            400,
            {**PROBLEM, "extraDetails": ["odd", 7, None]},
            "illegal-agreement-update",
            "Illegal update; odd",
        ),
        (400, {"type": "https://vipps.no/problems/recurring/validation-error/"}, "validation-error", None),
        (
            404,
            {"type": "about:blank", "title": "Not Found", "detail": "Agreement not found."},
            "not-found",
            "Agreement not found.",
        ),
        (
            409,
            {"type": f"{PROBLEMS}#idempotency-conflict", "title": "Conflict"},
            "idempotency-conflict",
            "Conflict",
        ),
        (
            400,
            [
                {
                    "field": "agreement.status",
                    "message": "Cannot create a charge.",
                    "code": "recurring.core.charges.create.invalid_agreement",
                    "contextId": "c",
                },
                {"field": "", "message": "And more.", "code": "other"},
            ],
            "recurring.core.charges.create.invalid_agreement",
            "agreement.status: Cannot create a charge.; And more.",
        ),
        (
            401,
            {
                "responseInfo": {"responseCode": 401, "responseMessage": "Unauthorized"},
                "result": {"message": "No."},
            },
            "unauthorized",
            "No.",
        ),
        (401, {"statusCode": 401, "message": "Access denied."}, "unauthorized", "Access denied."),
        (
            400,
            {"error": "invalid_client", "error_description": "Wrong secret.\r\nTrace: 1"},
            "invalid_client",
            "Wrong secret. Trace: 1",
        ),
        (403, b"", "forbidden", None),
        (403, b"<html>blocked</html>", "forbidden", None),
        (422, 7, "unprocessable", None),
        (499, {"message": 5}, "http-499", None),
        (400, {"type": 5, "detail": None, "title": ["x"]}, "bad-request", None),
        (400, {"type": "#" + "x" * 101, "detail": "d"}, "bad-request", "d"),
        (400, {"type": "#not a code", "detail": "d"}, "bad-request", "d"),
        (400, {"type": "https://tools.ietf.org/html/rfc7231#section-6.5.1", "title": "t"}, "bad-request", "t"),
        (404, {"type": "https://httpstatuses.com/404", "title": "t"}, "not-found", "t"),
        (400, [], "bad-request", None),
        (400, [1, {"code": None}], "bad-request", None),
    ],
)
def test_a_refusal_has_a_code_and_words(status, body, code, detail):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    expected = detail if detail is not None else f"Vipps answered {status} without a reason"
    assert refusal(status, raw) == Refused(status, code, expected)


@given(
    st.integers(400, 499),
    st.binary()
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["type", "title", "detail", "extraDetails", "error", "result", "message"]),
                inner,
            )
        ),
    ).map(lambda said: json.dumps(said).encode()),
)
def test_every_refusal_can_be_kept_and_shown(status, body):
    refused = refusal(status, body)
    assert 1 <= len(refused.code) <= 100
    assert 1 <= len(refused.detail) <= 500
    assert refused.detail.isprintable()
    refused.detail.encode()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, Answer),
        (204, Answer),
        (101, Unknown),
        (302, Unknown),
        (400, Refused),
        (401, Refused),
        (404, Refused),
        (408, Unknown),
        (409, Refused),
        (422, Refused),
        (429, Throttled),
        (499, Refused),
        (500, Unknown),
        (503, Unknown),
        (599, Unknown),
    ],
)
def test_what_a_status_means_for_money(status, kind):
    assert isinstance(judge(Answer(status, {}, b"", 0.1), WALL), kind)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 5.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("99999999999999999999", 3600.0),
        ("Fri, 20 Nov 2026 12:00:30 GMT", 30.0),
        ("Fri, 20 Nov 2026 11:00:00 GMT", 0.0),
        ("Fri, 20 Nov 2026 12:00:30 -0000", 30.0),
        ("Sat, 21 Nov 2026 12:00:00 GMT", 3600.0),
        ("soon", 5.0),
        ("-1", 5.0),
        ("٣", 5.0),
        ("", 5.0),
    ],
)
def test_how_long_to_wait(value, seconds):
    assert retry_after_seconds(value, WALL) == seconds


def test_a_wait_is_read_from_the_answer():
    assert judge(Answer(429, {"retry-after": "12"}, b"", 0.1), WALL) == Throttled(12.0)
