"""Tag Vipps, sign-in: no caller is known yet, so that only the tenant's own addresses are served."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse

from avtale.api.contract import refusals
from avtale.api.doors import Door, Routes, TheHouse, hall_of, read_body
from avtale.api.payments.setup_shapes import LoginParameters, LoginRefusal, LoginTokens
from avtale.service.signing_in import RedirectForeign, exchange_code, login_parameters

routes = Routes("Vipps", Door)

_TOKEN = "/api/v1/provider/vipps/login/oauth2/token"
_FORM_TYPE = "application/x-www-form-urlencoded"
_FIELDS_COUNT_MAX = 20
_FORM: dict[str, Any] = {
    "required": True,
    "content": {
        _FORM_TYPE: {
            "schema": {
                "type": "object",
                "examples": [
                    {
                        "grant_type": "authorization_code",
                        "code": "$CODE",
                        "redirect_uri": "https://film.example/signed-in",
                    }
                ],
                "required": ["grant_type", "code", "redirect_uri"],
                "properties": {
                    "grant_type": {"type": "string", "enum": ["authorization_code"]},
                    "code": {"type": "string", "minLength": 1},
                    "redirect_uri": {"type": "string", "description": "exactly the one that the code was asked for"},
                    "code_verifier": {"type": "string", "description": "where the sign-in began with PKCE"},
                },
            }
        }
    },
}


@routes.get(
    "/api/v1/provider/vipps/login/parameters/{organizationName}/{tenantName}",
    operation_id="getV1ProviderVippsLoginParameters",
    summary="Get Vipps login parameters",
    responses=refusals(404, 500, 503),
)
async def parameters(request: Request, house: TheHouse) -> LoginParameters:
    """What a front end needs to send somebody to Vipps to sign in. Never a secret."""
    organization, name = request.path_params["organizationName"], request.path_params["tenantName"]
    tenant = await hall_of(request).tenancy.named(organization, name)
    start = await login_parameters(house.db, house.gateways, tenant)
    return LoginParameters(
        client_id=start.client_id,
        authorization_endpoint=start.authorization_endpoint,
        scope=start.scope,
        redirect_uris=list(start.redirect_uris),
        token_endpoint=f"{tenant.public_url.rstrip('/')}{_TOKEN}/{organization}/{name}",
    )


@routes.post(
    _TOKEN + "/{organizationName}/{tenantName}",
    operation_id="postV1ProviderVippsLoginOauth2Token",
    summary="Exchange Vipps OAuth token",
    response_model=LoginTokens,
    responses=refusals(404, 408, 413, 500, 503, 504)
    | {400: {"model": LoginRefusal, "description": "Refused"}, 401: {"model": LoginRefusal, "description": "Refused"}},
    openapi_extra={"requestBody": _FORM},
)
async def token(request: Request, house: TheHouse) -> JSONResponse:
    """Exchange the code of a sign-in: a stand-in for Vipps' token endpoint that adds the tenant's secret.

    Only for the tenant's own redirect addresses. Tokens and refusals are passed on as Vipps says them (RFC 6749).
    """
    tenant = await hall_of(request).tenancy.named(
        request.path_params["organizationName"], request.path_params["tenantName"]
    )
    form = _read_form(request.headers.get("content-type", ""), await read_body(request))
    if form is None:
        return _refused("invalid_request", "send one form, with each field once")
    if form.get("grant_type") != "authorization_code":
        return _refused("unsupported_grant_type", "grant_type is authorization_code")
    code, redirect_uri = form.get("code"), form.get("redirect_uri")
    if not code or not redirect_uri:
        return _refused("invalid_request", "code and redirect_uri are needed")
    try:
        answer = await exchange_code(house.db, house.gateways, tenant, code, redirect_uri, form.get("code_verifier"))
    except RedirectForeign as foreign:
        return _refused("invalid_grant", foreign.detail)
    return JSONResponse(answer.said, 400 if 400 <= answer.status < 500 and answer.status != 401 else answer.status)


def _read_form(content_type: str, body: bytes) -> dict[str, str] | None:
    if content_type.partition(";")[0].strip().lower() != _FORM_TYPE:
        return None
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS_COUNT_MAX, errors="strict")
    except ValueError:
        return None
    form = dict(pairs)
    return form if len(form) == len(pairs) else None


def _refused(error: str, description: str) -> JSONResponse:
    return JSONResponse({"error": error, "error_description": description}, 400)
