"""The one HTTP client against a server that misbehaves on purpose."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avtale.gateways.outbound import (
    Answer,
    Call,
    Exchange,
    NoAnswer,
    Outbound,
    OutboundLimits,
    masked,
)


def call(url: str, method: str = "POST", body: bytes | None = b"{}", seconds: float = 5.0) -> Call:
    return Call(method, url, {"X-Asked": "yes"}, body if method != "GET" else None, seconds, "key-1")


async def test_what_was_written_is_what_leaves(scripted, outbound):
    scripted.answers(201, b"\x00\xff", {"X-Said": "so"})
    answer = await outbound.send(call(f"{scripted.url}/a%2Fb%7E/c%20d?q=%C3%B8", body=b'{ "exactly" : "these" }'))
    assert isinstance(answer, Answer)
    assert (answer.status, answer.body, answer.headers["x-said"]) == (201, b"\x00\xff", "so")
    assert answer.seconds > 0
    [received] = scripted.received
    assert (received.method, received.target) == ("POST", "/a%2Fb%7E/c%20d?q=%C3%B8")
    assert received.body == b'{ "exactly" : "these" }'
    assert received.headers["user-agent"].startswith("avtale/")
    assert received.headers["x-asked"] == "yes"
    assert "content-type" not in received.headers


@pytest.mark.parametrize("status", [204, 302, 404, 500])
async def test_every_status_is_an_answer_and_no_redirect_is_followed(scripted, outbound, status):
    scripted.answers(status, headers={"Location": f"{scripted.url}/elsewhere"})
    answer = await outbound.send(call(scripted.url))
    assert isinstance(answer, Answer)
    assert answer.status == status
    assert len(scripted.received) == 1


async def test_cookies_of_one_answer_do_not_reach_the_next_call(scripted, outbound):
    scripted.answers(200, headers={"Set-Cookie": "tenant=other; Path=/"})
    scripted.answers(200)
    named = scripted.url.replace("127.0.0.1", "localhost")  # an address of numbers gets no cookies anyhow
    await outbound.send(call(named))
    await outbound.send(call(named))
    assert "cookie" not in scripted.received[1].headers


async def test_a_refused_connection_sent_nothing(outbound):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        result = await outbound.send(call(f"http://127.0.0.1:{port}/"))
    assert isinstance(result, NoAnswer)
    assert (result.reason, result.sent) == ("the connection was refused", False)


@pytest.mark.parametrize("url", [f"http://{'x' * 64}.example/", "http:///nowhere", "ftp://127.0.0.1/", "http://[::x/"])
async def test_an_address_that_leads_nowhere_sent_nothing(outbound, url):
    result = await outbound.send(call(url))
    assert isinstance(result, NoAnswer)
    assert not result.sent


async def test_a_server_without_tls_sent_nothing(outbound):
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with server:
        result = await outbound.send(call(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"))
    assert isinstance(result, NoAnswer)
    assert (result.reason, result.sent) == ("no secure connection could be made", False)


async def test_waiting_for_a_free_connection_ends_and_sent_nothing(scripted):
    limits = OutboundLimits(connect_seconds_max=0.05, connections_count_max=1)
    scripted.hangs()
    async with Outbound(limits) as outbound:
        first = asyncio.create_task(outbound.send(call(scripted.url)))
        await scripted.asked.wait()
        second = await outbound.send(call(scripted.url))
        scripted.over.set()
        await first
    assert isinstance(second, NoAnswer)
    assert (second.reason, second.sent) == ("no connection within 0.05 s", False)


async def test_no_answer_in_time_may_have_been_received(scripted, outbound):
    scripted.hangs()
    result = await outbound.send(call(scripted.url, seconds=0.1))
    assert isinstance(result, NoAnswer)
    assert (result.reason, result.sent) == ("no answer within 0.1 s", True)
    assert len(scripted.received) == 1


def _cut(scripted) -> None:
    scripted.cuts()


def _half_an_answer(scripted) -> None:
    scripted.cuts(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\nhalf")


def _half_a_head(scripted) -> None:
    scripted.cuts(b"HTTP/1.1 201 Cre")


def _not_http(scripted) -> None:
    scripted.cuts(b"220 mail.example ESMTP\r\n\r\n")


def _huge(scripted) -> None:
    scripted.answers(200, b"x" * 10_001)


def _bomb(scripted) -> None:
    scripted.answers(200, gzip.compress(b"x" * 1_000_000), {"Content-Encoding": "gzip"})


def _endless_head(scripted) -> None:
    scripted.cuts(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n")


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (_cut, "the connection was cut"),
        (_half_an_answer, "the answer was cut off"),
        (_half_a_head, "the connection was cut"),
        (_not_http, "the answer is not HTTP"),
        (_huge, "the answer (200) is larger than 10000 bytes"),
        (_bomb, "the answer (200) is larger than 10000 bytes"),
        (_endless_head, "the answer is not HTTP"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "PUT"])
async def test_a_write_without_a_whole_answer_was_sent_once(scripted, outbound, method, happens: Callable, reason):
    scripted.answers(200)
    await outbound.send(call(scripted.url))
    happens(scripted)
    result = await outbound.send(call(scripted.url, method))
    assert isinstance(result, NoAnswer)
    assert (result.reason, result.sent) == (reason, True)
    assert [received.method for received in scripted.received] == ["POST", method]


async def test_an_answer_at_the_limit_is_whole(scripted, outbound):
    scripted.answers(200, b"x" * 10_000)
    answer = await outbound.send(call(scripted.url))
    assert isinstance(answer, Answer)
    assert len(answer.body) == 10_000


async def test_a_read_cut_on_a_reused_connection_is_made_once_more(scripted, outbound):
    scripted.answers(200, b"first")
    scripted.cuts()
    scripted.answers(200, b"again")
    await outbound.send(call(scripted.url, "GET"))
    answer = await outbound.send(call(scripted.url, "GET"))
    assert isinstance(answer, Answer)
    assert answer.body == b"again"
    assert (len(scripted.received), scripted.connections) == (3, 2)


async def test_a_read_cut_twice_is_not_made_a_third_time(scripted, outbound):
    scripted.answers(200)
    scripted.cuts()
    scripted.cuts()
    await outbound.send(call(scripted.url, "GET"))
    result = await outbound.send(call(scripted.url, "GET"))
    assert isinstance(result, NoAnswer)
    assert result.reason == "the connection was cut"
    assert len(scripted.received) == 3


async def test_a_read_cut_on_a_new_connection_is_not_repeated(scripted, outbound):
    scripted.cuts()
    result = await outbound.send(call(scripted.url, "GET"))
    assert isinstance(result, NoAnswer)
    assert (result.sent, len(scripted.received)) == (True, 1)


async def test_the_log_hears_of_every_exchange_and_of_no_secret(scripted):
    heard: list[Exchange] = []
    scripted.answers(200)
    scripted.hangs()
    async with Outbound(exchange_log=heard.append) as outbound:
        secret = Call(
            "POST",
            scripted.url.replace("http://", "http://user:hunter2@") + "/path?code=hunter2#hunter2",
            {"Ocp-Apim-Subscription-Key": "hunter2", "client_secret": "hunter2", "Idempotency-Key": "key-1"},
            b"hunter2",
            5.0,
            "key-1",
        )
        await outbound.send(secret)
        await outbound.send(replace(secret, call_seconds_max=0.2))
    answered, unanswered = heard
    assert (answered.method, answered.url, answered.status) == ("POST", f"{scripted.url}/path", 200)
    assert (answered.request_id, answered.headers["Idempotency-Key"]) == ("key-1", "key-1")
    assert answered.milliseconds > 0
    assert (unanswered.status, unanswered.reason) == (None, "no answer within 0.2 s")
    assert unanswered.milliseconds >= 200
    assert "hunter2" not in repr(heard)


async def test_a_log_that_fails_does_not_lose_the_answer(scripted, caplog):
    def full(_: Exchange) -> None:
        raise OSError("no space left")

    scripted.answers(201)
    async with Outbound(exchange_log=full) as outbound:
        answer = await outbound.send(call(scripted.url))
    assert isinstance(answer, Answer)
    assert "the exchange log failed" in caplog.text


async def test_a_closed_client_says_so(scripted, outbound):
    await outbound.close()
    with pytest.raises(RuntimeError, match="closed"):
        await outbound.send(call(scripted.url))


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "client_secret",
        "Ocp-Apim-Subscription-Key",
        "Cookie",
        "X-Access-TOKEN",
        "Stripe-Signature",
    ],
)
@given(value=st.text())
def test_no_value_of_a_secret_header_is_shown(name, value):
    assert masked({name: value, "Accept": "all"}) == {name: "***", "Accept": "all"}
