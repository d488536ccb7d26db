"""Sign-in with Vipps: what a front end needs to begin, and the code's exchange, which needs the tenant's secret."""

from __future__ import annotations

from dataclasses import dataclass

from avtale.domain.errors import GatewayUnknown, NotFound, Refusal
from avtale.domain.ports import Gateways, LoginAnswer
from avtale.storage.database import Database
from avtale.storage.tenants import Tenant, VippsLogin, get_vipps_login


class RedirectForeign(Refusal):
    """The address is none that people may be sent back to: whoever asks may have stolen the code."""

    code = "redirect_uri_unknown"


@dataclass(frozen=True, slots=True)
class LoginStart:
    """How a person's sign-in begins; nothing of it is secret."""

    client_id: str
    authorization_endpoint: str
    scope: str
    redirect_uris: tuple[str, ...]


async def login_parameters(db: Database, gateways: Gateways, tenant: Tenant) -> LoginStart:
    """How to send people to Vipps to sign in. Raises NotFound (`login_not_configured`)."""
    login = await _login_of(db, tenant)
    gateway = await gateways.login(tenant.id)
    return LoginStart(gateway.client_id, gateway.authorization_endpoint, login.scope, login.redirect_uris)


async def exchange_code(
    db: Database, gateways: Gateways, tenant: Tenant, code: str, redirect_uri: str, code_verifier: str | None
) -> LoginAnswer:
    """Exchange a code at Vipps, for an address of the tenant's list; tokens or refusal come back as Vipps said them.

    Raises NotFound (`login_not_configured`), RedirectForeign, GatewayUnknown.
    """
    login = await _login_of(db, tenant)
    if redirect_uri not in login.redirect_uris:
        raise RedirectForeign("redirect_uri is none of the tenant's addresses")
    gateway = await gateways.login(tenant.id)
    answer = await gateway.exchange(code, redirect_uri, code_verifier)
    if answer is None:
        raise GatewayUnknown("Vipps did not answer; sign in again")
    return answer


async def _login_of(db: Database, tenant: Tenant) -> VippsLogin:
    async with db.tenant(tenant.id) as tx:
        login = await get_vipps_login(tx)
    if login is None:
        raise NotFound("people do not sign in with Vipps at this tenant", code="login_not_configured")
    return login
