"""The one HTTP client: every call to a payment company leaves here, and none raises for the network."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from types import SimpleNamespace, TracebackType

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.client_middlewares import ClientHandlerType
from yarl import URL

VERSION = version("avtale")
USER_AGENT = f"avtale/{VERSION}"

#: Reads may be asked twice; whatever else may move money, so it is sent once and its fate is found out.
READS = frozenset({"GET", "HEAD"})

_MASK = "***"
_NO_SECRET = frozenset({"idempotency-key"})
_SECRET_PARTS = ("authorization", "secret", "key", "token", "cookie", "password", "signature")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OutboundLimits:
    """What a process allows itself; the time of a whole call is given with each call."""

    connect_seconds_max: float = 3.0
    connections_count_max: int = 200
    connections_per_host_count_max: int = 100
    idle_connection_seconds_max: float = 15.0
    answer_bytes_max: int = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Call:
    """One call: `url` and `body` leave exactly as written. `request_id` is for the log: a write's own key."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    call_seconds_max: float
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, whatever its status; the names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """No whole answer came. `sent` is False only where no connection was made: nothing can have happened."""

    reason: str
    sent: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a log may know of a call: no query, no body, and secrets masked. `status` is None if none came."""

    method: str
    url: str
    headers: Mapping[str, str]
    request_id: str | None
    status: int | None
    milliseconds: float
    reason: str | None


ExchangeLog = Callable[[Exchange], None]


def masked(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers with every value hidden whose name sounds like a secret, known to us or not."""
    return {name: _MASK if _is_secret(name.lower()) else value for name, value in headers.items()}


def _is_secret(name: str) -> bool:
    return name not in _NO_SECRET and any(part in name for part in _SECRET_PARTS)


class PrivateAddress(OSError):
    """A name leads to addresses that this client does not call."""


class _Cut(Exception):
    """A connection that broke. Not one of aiohttp's own errors: they make it repeat DELETE and PUT too."""


@dataclass(slots=True)
class _Progress:
    connected: bool = False
    reused: bool = False


async def _once(request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as cut:
        raise _Cut from cut


async def _connected(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
    context.trace_request_ctx.connected = True


async def _reused(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
    context.trace_request_ctx.connected = context.trace_request_ctx.reused = True


class Outbound:
    """One session for a process, opened by its first call; `async with` or `close` ends it.

    Redirects are not followed, cookies are not kept, proxies of the environment are not used.
    """

    def __init__(
        self,
        limits: OutboundLimits | None = None,
        exchange_log: ExchangeLog | None = None,
        *,
        resolver: AbstractResolver | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits or OutboundLimits()
        self._exchange_log = exchange_log
        self._resolver = resolver
        self._monotonic = monotonic
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def __aenter__(self) -> Outbound:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection; calls after this raise RuntimeError."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def send(self, call: Call) -> Answer | NoAnswer:
        """Make the call within `call_seconds_max`. A read cut on a reused connection is made once more."""
        began = self._monotonic()
        result = await self._try(call, call.call_seconds_max, began)
        if isinstance(result, _CutWhenReused):
            left = call.call_seconds_max - (self._monotonic() - began)
            result = await self._try(call, left, began) if left > 0 else result
        if isinstance(result, _CutWhenReused):
            result = NoAnswer("the connection was cut", sent=True, seconds=self._monotonic() - began)
        self._tell(call, result)
        return result

    async def _try(self, call: Call, seconds_max: float, began: float) -> Answer | NoAnswer | _CutWhenReused:
        progress = _Progress()
        try:
            async with self._open().request(
                call.method,
                URL(call.url, encoded=True),
                data=call.body,
                headers=call.headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=seconds_max, connect=self._limits.connect_seconds_max),
                trace_request_ctx=progress,
            ) as response:
                body = await self._body(response)
                status = response.status
                headers = {name.lower(): value for name, value in response.headers.items()}
        except _Cut:
            if progress.reused and call.method in READS:
                return _CutWhenReused()
            reason = "the connection was cut"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = self._reason(error, seconds_max, progress.connected)
        else:
            if body is not None:
                return Answer(status, headers, body, self._monotonic() - began)
            reason = f"the answer ({status}) is larger than {self._limits.answer_bytes_max} bytes"
        return NoAnswer(reason, sent=progress.connected, seconds=self._monotonic() - began)

    async def _body(self, response: aiohttp.ClientResponse) -> bytes | None:
        parts = bytearray()
        async for part in response.content.iter_chunked(65_536):
            parts += part
            if len(parts) > self._limits.answer_bytes_max:
                response.close()
                return None
        return bytes(parts)

    def _open(self) -> aiohttp.ClientSession:
        if self._closed:
            raise RuntimeError("this client is closed")
        if self._session is None:
            trace = aiohttp.TraceConfig()
            trace.on_connection_create_end.append(_connected)
            trace.on_connection_reuseconn.append(_reused)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._limits.connections_count_max,
                    limit_per_host=self._limits.connections_per_host_count_max,
                    keepalive_timeout=self._limits.idle_connection_seconds_max,
                    resolver=self._resolver,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": USER_AGENT},
                skip_auto_headers=("Content-Type",),
                trace_configs=[trace],
                middlewares=(_once,),
            )
        return self._session

    def _reason(self, error: Exception, seconds_max: float, connected: bool) -> str:
        """Plain words: the texts of the libraries may carry addresses, and change with their versions."""
        match error:
            case aiohttp.ConnectionTimeoutError():
                return f"no connection within {self._limits.connect_seconds_max:g} s"
            case TimeoutError():
                return f"no answer within {seconds_max:g} s" if connected else "no connection in time"
            case aiohttp.ClientConnectorDNSError() if isinstance(error.os_error, PrivateAddress):
                return str(error.os_error)
            case aiohttp.ClientConnectorDNSError():
                return "the host's name is not known"
            case ssl.SSLError() | ssl.CertificateError() | aiohttp.ClientSSLError():
                return "no secure connection could be made"
            case aiohttp.ClientConnectorError():
                refused = isinstance(error.os_error, ConnectionRefusedError)
                return "the connection was refused" if refused else "no connection could be made"
            case aiohttp.ClientPayloadError():
                return "the answer was cut off"
            case aiohttp.ClientResponseError():
                return "the answer is not HTTP"
            case aiohttp.ClientConnectionError() | ConnectionError():
                return "the connection was cut"
            case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
                return "the address is not one of HTTP"
            case _:
                return f"the call failed ({type(error).__name__})"

    def _tell(self, call: Call, result: Answer | NoAnswer) -> None:
        if self._exchange_log is None:
            return
        exchange = Exchange(
            method=call.method,
            url=_without_secrets(call.url),
            headers=masked(call.headers),
            request_id=call.request_id,
            status=result.status if isinstance(result, Answer) else None,
            milliseconds=round(result.seconds * 1000, 3),
            reason=result.reason if isinstance(result, NoAnswer) else None,
        )
        try:
            self._exchange_log(exchange)
        except Exception:
            # A log that is full must not turn a call that was answered into one that nobody knows about.
            log.exception("the exchange log failed")


@dataclass(frozen=True, slots=True)
class _CutWhenReused:
    """The other side had closed an idle connection before it saw our read."""


def _without_secrets(url: str) -> str:
    try:
        return str(URL(url, encoded=True).with_user(None).with_query(None).with_fragment(None))
    except ValueError:
        return "(not an address)"
