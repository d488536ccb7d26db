"""The way through a browser: from a client's page to Vipps, and back with a result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlencode, urlsplit, urlunsplit

import structlog
from starlette.requests import Request
from starlette.responses import Response

from avtale.api.doors import Door, Routes, TheHouse, hall_of
from avtale.api.problems import problem_of
from avtale.api.tenancy import Site
from avtale.api.vipps_agreements.pages import page, send_on
from avtale.domain.errors import Conflict, NotFound
from avtale.entrance.signing_in import Entrance, SignInFailed
from avtale.service.adding import Result, come_back, customer_api, follow
from avtale.storage.customer_apis import Addition, Client

ADD = "/payment/vipps/agreement/add"
SIGNED_IN = "/payment/vipps/agreement/signed-in"
BACK = "/payment/vipps/agreement/back"

#: While another visit prepares the same thing, this one looks again after so many seconds.
LOOK_AGAIN_SECONDS = 2
_PARAMETERS = ("clientId", "returnUrl", "errorUrl", "transactionId")

log = structlog.get_logger()
routes = Routes("Vipps", Door)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client's link asks for, once its client and both addresses are known to be registered."""

    client: Client
    return_url: str
    error_url: str
    transaction_id: int

    @property
    def path(self) -> str:
        """The same link again, on this host."""
        values = (self.client.client_id, self.return_url, self.error_url, str(self.transaction_id))
        return f"{ADD}?{urlencode(dict(zip(_PARAMETERS, values, strict=True)))}"

    def result(self, result: Result) -> Response:
        """Back to the client with a result."""
        return _told(self.client, self.return_url, self.transaction_id, result)

    def error(self) -> Response:
        """Back to the client, since something is wrong with the system."""
        return send_on(with_parameters(self.error_url, {self.client.transaction_parameter: str(self.transaction_id)}))


class WrongLink(NotFound):
    """A link that is not to be followed, and must not lead anywhere."""

    code = "link_wrong"


@routes.get(ADD, include_in_schema=False)
async def add(request: Request, house: TheHouse) -> Response:
    """Send the signed-in owner of a transaction on to Vipps, or back with what has become of it."""
    try:
        site, entrance = await _visited(request)
        wish = _wish(request, (await customer_api(house.db, site.tenant)).client)
    except Exception as error:
        return _trouble(request, error)
    try:
        return await _go_on(request, house, site, entrance, wish)
    except (WrongLink, SignInFailed) as error:
        return _trouble(request, error)
    except Exception as error:
        problem = problem_of(error)
        log.warning("addition_failed", code=problem.code, exc_info=error if problem.status == 500 else None)
        return wish.error()


async def _go_on(request: Request, house: TheHouse, site: Site, entrance: Entrance, wish: Wish) -> Response:
    tenant = site.tenant
    public = tenant.public_url.rstrip("/")
    session = entrance.session(request, tenant, site.issuers)
    other = request.query_params.get("as") == "other"
    if session is None or other:
        if request.headers.get("host", "").lower() != urlsplit(public).netloc.lower():
            # The identity provider answers to the public address, and so must the browser's cookie be there.
            return send_on(f"{public}{wish.path}")
        prompt = "select_account" if other else None
        return await entrance.begin(request, tenant, site.issuers, f"{public}{SIGNED_IN}", wish.path, prompt)

    def landing_url(addition: Addition) -> str:
        return f"{public}{BACK}/{addition.landing}"

    try:
        following = await follow(
            house.db,
            house.gateways,
            tenant,
            session.person,
            wish.transaction_id,
            wish.client,
            wish.return_url,
            wish.error_url,
            landing_url,
            session.phone_number,
        )
    except NotFound:
        return page(
            "This link is not for you",
            f"You are signed in as {session.name}. Whoever began this is somebody else, or it never began.",
            status=HTTPStatus.NOT_FOUND,
            link=(f"{wish.path}&as=other", "Sign in as somebody else"),
        )
    except Conflict as conflict:
        return _conflict(wish, conflict)
    return send_on(following) if isinstance(following, str) else wish.result(following.result)


def _conflict(wish: Wish, conflict: Conflict) -> Response:
    match conflict.code:
        case "transaction_expired":
            return wish.result(Result.FAILED)
        case "transaction_starting":
            said = "Vipps is being asked. This page goes on by itself."
            return page("Just a moment", said, again_seconds=LOOK_AGAIN_SECONDS)
        case "transaction_bound":
            raise WrongLink("this was begun in another way; go back to where you came from, and begin anew")
        case _:
            raise conflict


@routes.get(SIGNED_IN, include_in_schema=False)
async def signed_in(request: Request, house: TheHouse) -> Response:
    """Begin a session with what the identity provider answers, and go on where the person was."""
    try:
        site, entrance = await _visited(request)
        redirect_uri = f"{site.tenant.public_url.rstrip('/')}{SIGNED_IN}"
        session, back = await entrance.finish(request, site.tenant, site.issuers, redirect_uri)
    except Exception as error:
        return _trouble(request, error)
    response = send_on(back)
    entrance.open(request, response, session)
    return response


@routes.get(BACK + "/{landing}", include_in_schema=False)
async def back(landing: str, request: Request, house: TheHouse) -> Response:
    """Tell the client what has become of an addition; whoever comes from Vipps may do so in another browser."""
    try:
        site, _ = await _visited(request)
        api = await customer_api(house.db, site.tenant)
        wait = house.return_wait_seconds_max
        told = await come_back(house.db, house.gateways, site.tenant, landing, wait)
        addition = told.addition
        client = api.client(addition.client_id or "")
        if client is None or addition.return_url not in client.return_urls:
            raise WrongLink("the shop that you came from has changed its address; open it anew")
    except Exception as error:
        return _trouble(request, error)
    return _told(client, addition.return_url, addition.transaction_id, told.result)


def with_parameters(url: str, added: Mapping[str, str]) -> str:
    """A registered address with parameters behind those that it has."""
    parts = urlsplit(url)
    query = "&".join(filter(None, [parts.query, urlencode(added)]))
    return urlunsplit(parts._replace(query=query))


async def _visited(request: Request) -> tuple[Site, Entrance]:
    hall = hall_of(request)
    site = await hall.tenancy.at_host(request.headers.get("host"))
    if hall.entrance is None:
        raise NotFound("nobody can sign in here", code="sign_in_off")
    return site, hall.entrance


def _wish(request: Request, client_of: Callable[[str], Client | None]) -> Wish:
    """What the link says. Raises WrongLink unless it is whole, and all of it registered."""
    given = [(name, value) for name, value in request.query_params.multi_items() if name in _PARAMETERS]
    values = dict(given)
    if len(given) != len(_PARAMETERS) or len(values) != len(_PARAMETERS):
        raise WrongLink("the link is not whole; go back to where you came from, and begin anew")
    client = client_of(values["clientId"])
    if client is None or values["returnUrl"] not in client.return_urls or values["errorUrl"] not in client.error_urls:
        raise WrongLink("the link leads to an address that is not registered for its sender")
    number = values["transactionId"]
    if not (number.isascii() and number.isdigit() and len(number) <= 10):
        raise WrongLink("the link names no transaction")
    return Wish(client, values["returnUrl"], values["errorUrl"], int(number))


def _told(client: Client, return_url: str, transaction_id: int, result: Result) -> Response:
    added = {client.result_parameter: result.value, client.transaction_parameter: str(transaction_id)}
    return send_on(with_parameters(return_url, added))


def _trouble(request: Request, error: Exception) -> Response:
    """A page for what cannot be told to any client."""
    problem = problem_of(error)
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("addition_failed", code=problem.code, exc_info=error if problem.status == 500 else None)
    said = problem.detail[:1].upper() + problem.detail[1:].rstrip(".") + "."
    again = error.back if isinstance(error, SignInFailed) else None
    link = (again, "Try again") if again else None
    return page("This did not work", said, status=problem.status, link=link)
