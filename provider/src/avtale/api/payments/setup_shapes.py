"""The shapes of answers about a tenant's set-up, entitlements and sign-in, as the contract publishes them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from avtale.api.payments.kinds import Instant, ProductId, Shape
from avtale.service import entitling, findings
from avtale.service.findings import Severity
from avtale.storage.entitlements import Entitlement as StoredEntitlement

CHECK_COUNT_MAX = 1000
CLAIM_COUNT_MAX = 500


class ConfigError(Shape):
    """One thing that is wrong with the tenant's set-up."""

    code: str = Field(examples=["webhook_missing"], description="stable")
    severity: Severity
    provider: str = Field(examples=["vipps"], description="whose part it is: avtale, identity, vipps")
    subject: str = Field(description="what it concerns: a product, an issuer, an address, the tenant")
    message: str = Field(description="what it means")
    action: str = Field(description="what to do")


class ConfigErrors(Shape):
    """What is wrong now, the worst first."""

    errors: list[ConfigError]

    @staticmethod
    def of(found: list[findings.ConfigError]) -> ConfigErrors:
        return ConfigErrors(errors=[ConfigError(**asdict(one)) for one in found])


class Entitlement(Shape):
    """Access to a product, through an agreement or a purchase."""

    product_id: str
    access_until: Instant
    agreement_id: UUID | None
    purchase_id: UUID | None

    @staticmethod
    def of(one: StoredEntitlement) -> Entitlement:
        return Entitlement(
            product_id=one.product_id,
            access_until=one.access_until,
            agreement_id=one.agreement_id,
            purchase_id=one.purchase_id,
        )


class Entitlements(Shape):
    """What somebody may use now."""

    entitlements: list[Entitlement]


class EntitlementCheck(Shape):
    """Products that somebody would like to use."""

    model_config = Shape.model_config | ConfigDict(
        json_schema_extra={"examples": [{"productIds": ["film-month", "film-rent"]}]}
    )

    product_ids: list[ProductId] = Field(min_length=1, max_length=CHECK_COUNT_MAX)


class EntitlementClaim(Shape):
    """The claims of a token: `entitlements` names products, `has_more_tvod` says that there are more than it names.

    From `holdsUntil` on a token with them says too much, if nothing was renewed meanwhile.
    """

    claims: dict[str, list[str] | bool] = Field(examples=[{"entitlements": ["film-month"], "has_more_tvod": False}])
    holds_until: Instant | None

    @staticmethod
    def of(claim: entitling.Claim) -> EntitlementClaim:
        said: dict[str, list[str] | bool] = {"entitlements": list(claim.product_ids), "has_more_tvod": claim.has_more}
        return EntitlementClaim(claims=said, holds_until=claim.holds_until)


class EntitlementObject(Shape):
    """What a person may use now; an identity provider makes the claim `entitlements` from it."""

    issuer: str
    subject: str
    created_at: Instant
    entitlements: list[Entitlement]

    @staticmethod
    def of(found: entitling.EntitlementObject) -> EntitlementObject:
        return EntitlementObject(
            issuer=found.person.issuer,
            subject=found.person.subject,
            created_at=found.created_at,
            entitlements=[Entitlement.of(one) for one in found.entitlements],
        )


class LoginParameters(Shape):
    """What a front end needs to send a person to Vipps to sign in; nothing of it is secret."""

    client_id: str
    authorization_endpoint: str
    response_type: Literal["code"] = "code"
    scope: str
    redirect_uris: list[str] = Field(description="the addresses that people may be sent back to")
    token_endpoint: str = Field(description="where the code is exchanged: here, for it needs the tenant's secret")


class LoginTokens(BaseModel):
    """Vipps' answer, passed on as it is (RFC 6749, 5.1)."""

    model_config = ConfigDict(extra="allow")

    access_token: str
    token_type: str
    id_token: str | None = None
    expires_in: int | None = None
    scope: str | None = None


class LoginRefusal(BaseModel):
    """Why no tokens are given (RFC 6749, 5.2)."""

    model_config = ConfigDict(extra="allow")

    error: str = Field(examples=["invalid_grant"])
    error_description: str | None = None
