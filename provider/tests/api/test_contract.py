"""The published contract: the seed's operation ids, and every answer as it says."""

from __future__ import annotations

from typing import Any, cast

import pytest
from fastapi.routing import APIRoute

from avtale.api.app import create_app
from avtale.api.house import House
from avtale.api.payments import operations

#: The operations of this slice, with the paths, methods and tags that callers were promised.
PROMISED = {
    "postV1PayVippsCheckout": ("post", "/api/v1/pay/vipps/checkout", "Vipps"),
    "getV1PayVippsRecurringAgreements": ("get", "/api/v1/pay/vipps/recurring/agreements/{agreementId}", "Vipps"),
    "postV1PayStripeCheckout": ("post", "/api/v1/pay/stripe/checkout", "Stripe Checkout"),
    "postV1PayStripeTvod": ("post", "/api/v1/pay/stripe/tvod", "Stripe Checkout"),
    "listV1Customer": ("get", "/api/v1/customer", "Customer"),
    "postV1Customer": ("post", "/api/v1/customer/", "Customer"),
    "putV1Customer": ("put", "/api/v1/customer/", "Customer"),
    "listV1CustomerPaymentMethods": ("get", "/api/v1/customer/paymentMethods", "Customer"),
    "deleteV1CustomerPaymentMethodsRemove": (
        "delete",
        "/api/v1/customer/paymentMethods/{paymentMethodId}/remove",
        "Customer",
    ),
    "postV1WebhookStripe": ("post", "/api/v1/webhook/stripe/", "Stripe Webhooks"),
    "postV1WebhookStripe2": ("post", "/api/v1/webhook/stripe/{organization}", "Stripe Webhooks"),
    "listV1Agreements": ("get", "/api/v1/agreements", "Agreements"),
    "postV1AgreementsStop": ("post", "/api/v1/agreements/{agreementId}/stop", "Agreements"),
    "listV1AgreementsChanges": ("get", "/api/v1/agreements/{agreementId}/changes", "Subscriptions"),
    "postV1AgreementsPause": ("post", "/api/v1/agreements/{agreementId}/pause", "Subscriptions"),
    "postV1AgreementsResume": ("post", "/api/v1/agreements/{agreementId}/resume", "Subscriptions"),
    "postV1AgreementsChargeDay": ("post", "/api/v1/agreements/{agreementId}/charge-day", "Subscriptions"),
    "postV1AgreementsPlan": ("post", "/api/v1/agreements/{agreementId}/plan", "Subscriptions"),
    "postV1AgreementsPrice": ("post", "/api/v1/agreements/{agreementId}/price", "Subscriptions"),
    "postV1ProductsPrice": ("post", "/api/v1/products/{productId}/price", "Subscriptions"),
    "postV1AgreementsAmount": ("post", "/api/v1/agreements/{agreementId}/amount", "Subscriptions"),
    "postV1AgreementsWithdraw": ("post", "/api/v1/agreements/{agreementId}/withdraw", "Subscriptions"),
    "postV1AgreementsCharges": ("post", "/api/v1/agreements/{agreementId}/charges", "Subscriptions"),
    "listV1Dunning": ("get", "/api/v1/dunning", "Subscriptions"),
    "listV1Purchases": ("get", "/api/v1/purchases", "Purchases"),
    "getV1Purchases": ("get", "/api/v1/purchases/{purchaseId}", "Purchases"),
    "getV1AgreementsAdmin": ("get", "/api/v1/agreements/admin/{encodedId}", "Agreements"),
    "postV1AgreementsAdminStop": ("post", "/api/v1/agreements/admin/{encodedId}/{agreementId}/stop", "Agreements"),
    "postV1AgreementsAdminCreate": ("post", "/api/v1/agreements/admin/create", "Agreements"),
    "patchV1AgreementsVippsForceaccept": (
        "patch",
        "/api/v1/agreements/vipps/{agreementId}/force-accept",
        "Agreements",
    ),
    "deleteV1AgreementsVippsForcedelete": (
        "delete",
        "/api/v1/agreements/vipps/{agreementId}/force-delete",
        "Agreements",
    ),
    "getV1ReceiptAdmin": ("get", "/api/v1/receipt/admin/{encodedId}", "Receipts"),
    "getV1ReceiptAdmin2": ("get", "/api/v1/receipt/admin/{encodedId}/{receiptId}", "Receipts"),
    "postV1WebhookVipps": ("post", "/api/v1/webhook/vipps/{organization}/{tenant}", "Vipps Webhooks"),
    "listV1Receipt": ("get", "/api/v1/receipt", "Receipts"),
    "getV1Receipt": ("get", "/api/v1/receipt/{receiptId}", "Receipts"),
    "listAdminHealthLive": ("get", "/admin/health/live", "Health"),
    "listAdminHealthReady": ("get", "/admin/health/ready", "Health"),
    "postV1ChargesRefunds": ("post", "/api/v1/charges/{chargeId}/refunds", "Refunds"),
    "getV1ProviderVippsLoginParameters": (
        "get",
        "/api/v1/provider/vipps/login/parameters/{organizationName}/{tenantName}",
        "Vipps",
    ),
    "postV1ProviderVippsLoginOauth2Token": (
        "post",
        "/api/v1/provider/vipps/login/oauth2/token/{organizationName}/{tenantName}",
        "Vipps",
    ),
    "postV1AuthSetup": ("post", "/api/v1/auth/setup", "Auth"),
    "listV1ConfigErrors": ("get", "/api/v1/config/errors", "Config"),
    "listV1Entitlements": ("get", "/api/v1/entitlements", "Entitlements"),
    "postV1EntitlementsCheck": ("post", "/api/v1/entitlements/check", "Entitlements"),
    "getV1EntitlementsAdmin": ("get", "/api/v1/entitlements/admin/{encodedId}", "Entitlements"),
    "getV1EntitlementsAdminClaim": ("get", "/api/v1/entitlements/admin/{encodedId}/claim", "Entitlements"),
    "getV1PeopleMe": ("get", "/api/v1/people/me", "People"),
    "getV1PeopleAdmin": ("get", "/api/v1/people/admin/{encodedId}", "People"),
    "postV1PeopleAdminErase": ("post", "/api/v1/people/admin/{encodedId}/erase", "People"),
    "listV1Events": ("get", "/api/v1/events", "Events"),
    "listV1EventsEndpoints": ("get", "/api/v1/events/endpoints", "Events"),
    "postV1EventsEndpoints": ("post", "/api/v1/events/endpoints", "Events"),
    "postV1EventsEndpointsEnable": ("post", "/api/v1/events/endpoints/{endpointId}/enable", "Events"),
    "postV1EventsEndpointsReplay": ("post", "/api/v1/events/endpoints/{endpointId}/replay", "Events"),
    "postV1EventsEndpointsSecret": ("post", "/api/v1/events/endpoints/{endpointId}/secret", "Events"),
    "patchV1EventsEndpoints": ("patch", "/api/v1/events/endpoints/{endpointId}", "Events"),
    "deleteV1EventsEndpoints": ("delete", "/api/v1/events/endpoints/{endpointId}", "Events"),
    "exportV1Audit": ("get", "/api/v1/audit/export", "Operations"),
    "postV1Migrate": (
        "post",
        "/api/v1/migrate/{organizationId}/{tenantId}/{productGroupId}/{randomValue}",
        "Migration",
    ),
    "postV1MigrateV2": ("post", "/api/v1/migrate/v2/{organizationId}/{tenantId}/{secretValue}", "Migration"),
    "postV1MigrateSpecial": (
        "post",
        "/api/v1/migrate/special/{organizationId}/{tenantId}/{productGroupId}/{randomValue}",
        "Migration",
    ),
    "postV1MigrateFixAgreements": (
        "post",
        "/api/v1/migrate/fix/agreements/{organizationId}/{tenantId}/{randomValue}",
        "Migration",
    ),
    "postV1MigrateFixCharges": (
        "post",
        "/api/v1/migrate/fix/charges/{organizationId}/{tenantId}/{randomValue}",
        "Migration",
    ),
    "postV1MigrateDashboardAgreements": (
        "post",
        "/api/v1/migrate/dashboard/agreements/{organizationId}/{tenantId}/{randomValue}",
        "Migration",
    ),
    "postV1MigrateDashboardCharges": (
        "post",
        "/api/v1/migrate/dashboard/charges/{organizationId}/{tenantId}/{randomValue}",
        "Migration",
    ),
    "getV1MigratePrepare": (
        "get",
        "/api/v1/migrate/prepare/{organizationId}/{tenantId}/{tenantName}/{numberOfUsers}/{randomValue}",
        "Migration",
    ),
    "postV1MigrateRecreate": (
        "post",
        "/api/v1/migrate/recreate/{organizationId}/{tenantId}/{tenantName}/{isProd}/{randomValue}",
        "Migration",
    ),
    "listV1Imports": ("get", "/api/v1/imports", "Imports"),
    "getV1Imports": ("get", "/api/v1/imports/{importId}", "Imports"),
    "listV1ImportsRows": ("get", "/api/v1/imports/{importId}/rows", "Imports"),
    "getV1ImportsResult": ("get", "/api/v1/imports/{importId}/result", "Imports"),
    "postV1ImportsApply": ("post", "/api/v1/imports/{importId}/apply", "Imports"),
    "postV1ImportsUndo": ("post", "/api/v1/imports/{importId}/undo", "Imports"),
}
#: Answers in the shapes of OAuth (RFC 6749, 5), passed on as Vipps words them.
OF_OAUTH = {("postV1ProviderVippsLoginOauth2Token", "400"), ("postV1ProviderVippsLoginOauth2Token", "401")}
WITHOUT_TOKEN = {
    "getV1ProviderVippsLoginParameters",
    "postV1ProviderVippsLoginOauth2Token",
    "postV1WebhookVipps",
    "postV1WebhookStripe",
    "postV1WebhookStripe2",
    "listAdminHealthLive",
    "listAdminHealthReady",
}


@pytest.fixture
def contract() -> dict[str, Any]:
    nothing = cast(Any, None)
    house = House(nothing, nothing, nothing, nothing, False, None, nothing, "1.2.3")
    return create_app(house).openapi()


def every_operation(contract: dict[str, Any]) -> dict[str, tuple[str, str, dict[str, Any]]]:
    return {
        operation["operationId"]: (method, path, operation)
        for path, methods in contract["paths"].items()
        for method, operation in methods.items()
    }


def test_the_operations_are_those_that_were_promised(contract: dict[str, Any]) -> None:
    found = {
        name: (method, path, *operation["tags"])
        for name, (method, path, operation) in every_operation(contract).items()
    }
    assert found == PROMISED


def test_tokens_are_asked_for_where_they_are_needed(contract: dict[str, Any]) -> None:
    for name, (_, _, operation) in every_operation(contract).items():
        asked = [] if name in WITHOUT_TOKEN else [{"bearerAuth": []}]
        assert operation.get("security", []) == asked, name
        assert ("401" in operation["responses"]) == bool(asked) or (name, "401") in OF_OAUTH, name
    scheme = contract["components"]["securitySchemes"]["bearerAuth"]
    assert (scheme["type"], scheme["scheme"], scheme["bearerFormat"]) == ("http", "bearer", "JWT")


def test_every_failure_is_a_problem(contract: dict[str, Any]) -> None:
    for name, (_, _, operation) in every_operation(contract).items():
        assert "422" not in operation["responses"], name
        for status, response in operation["responses"].items():
            if status != "200" and (name, status) not in OF_OAUTH:
                assert list(response["content"]) == ["application/problem+json"], (name, status)
    schemas = contract["components"]["schemas"]
    assert {"type", "title", "status", "detail", "instance", "code", "requestId"} <= set(
        schemas["Problem"]["properties"]
    )
    assert not {"HTTPValidationError", "ValidationError"} & set(schemas)


def test_every_reference_leads_somewhere(contract: dict[str, Any]) -> None:
    schemas = contract["components"]["schemas"]
    used: set[str] = set()

    def follow(part: Any) -> None:
        if isinstance(part, dict):
            target = part.get("$ref")
            if isinstance(target, str):
                used.add(target.removeprefix("#/components/schemas/"))
            for value in part.values():
                follow(value)
        elif isinstance(part, list):
            for value in part:
                follow(value)

    follow(contract)
    assert used == set(schemas)


def test_names_are_written_in_one_way(contract: dict[str, Any]) -> None:
    for name, schema in contract["components"]["schemas"].items():
        for member in () if name in ("LoginRefusal", "LoginTokens") else schema.get("properties", {}):
            assert "_" not in member, (name, member)


def test_every_route_has_both_forms(contract: dict[str, Any]) -> None:
    for routes in (operations.routes, operations.clock_routes):
        paths = {route.path for route in routes.routes if isinstance(route, APIRoute)}
        assert {path.rstrip("/") + "/" for path in paths} <= paths
