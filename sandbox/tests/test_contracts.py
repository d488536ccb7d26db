"""The contract files: each operation is answered, and structure is that of the published descriptions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from avtale_sandbox.contracts.contract import Contract
from avtale_sandbox.contracts.routes import Routes
from avtale_sandbox.contracts.schema import Problems, compile_schema
from avtale_sandbox.settings import Settings
from avtale_sandbox.vipps.gateway import MissingHandler, routes_of
from avtale_sandbox.world import World

# (contract, published file, what its paths lack)
PUBLISHED = [
    ("recurring-v2", "recurring-2.6.16.yaml", ""),
    ("recurring-v3", "recurring-3.1.2.yaml", ""),
    ("epayment", "epayment.yaml", "/epayment"),
    ("webhooks", "webhooks-v1.yaml", "/webhooks"),
    ("accesstoken", "access-token-2.0.0.yaml", ""),
    ("userinfo", "userinfo-2.0.3.yaml", ""),
    ("login", "login-1.1.0-2025-11.yaml", ""),
]
CONTRACTS = [name for name, _, _ in PUBLISHED]
LIMITS = ("minimum", "maximum", "minLength", "maxLength", "nullable", "format", "type")


@pytest.mark.parametrize("name", CONTRACTS)
async def test_every_operation_of_every_contract_is_answered(sandbox: Any, name: str) -> None:
    """Not only routed: asked over HTTP, it is neither unknown (the gateway's 404) nor a fault of ours."""
    for operation in Contract(name).operations:
        path = operation.path.replace("{", "").replace("}", "")
        reply = await sandbox.call(operation.method, path, {})
        assert reply.status < 500, operation.id
        assert not (reply.status == 404 and "responseInfo" in reply.body), operation.id
    recorded = (await sandbox.control("GET", "/requests"))["requests"]
    assert {one.id for one in Contract(name).operations} <= {one["operationId"] for one in recorded}


def test_an_operation_without_a_handler_is_noticed() -> None:
    class Forgetful:
        contract = Contract("webhooks")

        def handlers(self) -> dict[str, Any]:
            return {"RegisterWebhook": None, "ListWebhooks": None}

    with pytest.raises(MissingHandler, match="DeleteWebhook"):
        routes_of(Forgetful())  # type: ignore[arg-type]


def test_no_handler_is_left_without_an_operation() -> None:
    world = World(Settings())
    routed = {route.operation.id for route in world._routes()}
    listed = {operation.id for name, _, _ in PUBLISHED for operation in Contract(name).operations}
    assert routed == listed


def test_literal_segments_win_over_parameters() -> None:
    routes = Routes((operation, operation.id) for operation in Contract("recurring-v3").operations)
    assert routes.find("POST", "/recurring/v3/agreements/charges").target == "CreateChargeAsyncV3"
    found = routes.find("GET", "/recurring/v3/agreements/agr_1/charges/c-1")
    assert (found.target, found.values) == ("FetchChargeV3", {"agreementId": "agr_1", "chargeId": "c-1"})
    assert routes.find("GET", "/recurring/v3").target is None
    assert routes.find("GET", "/recurring/v3/agreements/a/b/c/d/e").target is None


STRINGS = {"type": "array", "items": {"type": "string"}}
NAMED = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    ("schema", "value", "problems"),
    [
        ({"type": "integer"}, 2**31, [("", "must be less than or equal to 2147483647")]),
        ({"type": "integer", "format": "int64"}, 2**31, []),
        ({"type": "integer"}, False, [("", "must be a whole number")]),
        ({**STRINGS, "maxItems": 1}, ["a", "b"], [("", "must hold between 0 and 1 items")]),
        (STRINGS, ["a", 1], [("[1]", "must be a string")]),
        ({**NAMED, "required": ["a"]}, {"a": None}, [("a", "must not be null")]),
        (NAMED, {"a": None, "b": 1}, []),
        ({"type": "string", "enum": ["A", "B"]}, "C", [("", "must be one of A, B")]),
    ],
)
def test_a_schema_finds_what_is_wrong(schema: dict[str, Any], value: Any, problems: Problems) -> None:
    found: Problems = []
    compile_schema(schema, lambda one: one)(value, "", found)
    assert found == problems


def published(file: str) -> dict[str, Any]:
    """A published description, or skip."""
    folder = os.environ.get("AVTALE_ORACLE")
    if not folder:
        pytest.skip("AVTALE_ORACLE names no folder with published descriptions")
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document: dict[str, Any] = yaml.load((Path(folder) / file).read_text(), loader)
    return document


@pytest.mark.oracle
@pytest.mark.parametrize(("name", "file", "prefix"), PUBLISHED)
def test_paths_and_operations_are_the_published_ones(name: str, file: str, prefix: str) -> None:
    theirs = {
        (method.upper(), prefix + path, item[method].get("operationId"))
        for path, item in published(file)["paths"].items()
        for method in ("get", "post", "put", "patch", "delete")
        if method in item
    }
    ours = {(one.method, one.path, one.id) for one in Contract(name).operations}
    if name == "webhooks":
        # Its description gives no operationIds; these are ours.
        ours = {(method, path, None) for method, path, _ in ours}
    if name == "recurring-v2":
        # The rest of that description is version 3, of which a later one is the measure.
        theirs = {one for one in theirs if one[1].startswith("/recurring/v2/")}
    if name == "epayment":
        # Some of its pages print this path without "test".
        ours = {one for one in ours if one[2] != "forceApproveWithoutTest"}
    if name == "login":
        # Sign-in without a browser is not played here; userinfo is a contract of its own; the page's form is ours.
        theirs = {one for one in theirs if "ciba" not in one[1] and "userinfo" not in one[1]}
        ours = {one for one in ours if one[2] != "oauthAuthAnswer"}
    assert ours == theirs


@pytest.mark.oracle
def test_all_24_operations_of_recurring_2_6_16_are_answered() -> None:
    theirs = {
        (method.upper(), path, item[method]["operationId"])
        for path, item in published("recurring-2.6.16.yaml")["paths"].items()
        for method in ("get", "post", "put", "patch", "delete")
        if method in item
    }
    assert len(theirs) == 24
    routed = {route.operation for route in World(Settings())._routes()}
    assert theirs <= {(one.method, one.path, one.id) for one in routed}


@pytest.mark.oracle
@pytest.mark.parametrize(("name", "file"), [(name, file) for name, file, _ in PUBLISHED])
def test_schemas_are_the_published_ones(name: str, file: str) -> None:
    """Properties, required, enums, types and limits; the differences that are meant are named below."""
    theirs = published(file)["components"]["schemas"]
    ours = Contract(name).document["components"]["schemas"]
    differences: set[str] = set()
    for schema, body in ours.items():
        if schema in theirs:
            compare(schema, body, theirs[schema], differences)
        elif schema != "ErrorFromAzure":
            # What the gateway in front says is described for Recurring, and the same everywhere.
            differences.add(schema)
    assert differences == MEANT[name]


MEANT = {
    "recurring-v2": {
        # Markets in Denmark and Finland came while version 2 was still there.
        "Currency.enum",
        # With a variable amount no price is needed, as the published example shows.
        "DraftAgreementV2.required",
        # Real clients send null for what they do not use, and are answered null for what there is not.
        "DraftAgreementV2.customerPhoneNumber.nullable",
        "InitialChargeV2.nullable",
        "variableAmount.nullable",
        "campaignResponseV2.nullable",
        "AgreementResponseV2.merchantAgreementUrl.nullable",
        "AgreementResponseV2.productDescription.nullable",
        "ErrorV2.field.nullable",
        "ChargeResponseV2.failureReason.enum",
        "ChargeResponseV2.failureReason.nullable",
        "ChargeResponseV2.failureDescription.nullable",
        "ChargeResponseV2.transactionId.nullable",
        "DraftAgreementResponseV2.chargeId.nullable",
        # An interval may be flexible since version 3.
        "AgreementResponseV2.interval.enum",
        "AgreementResponseV2.interval.nullable",
        "AgreementResponseV2.interval.type",
        "AgreementResponseV2.intervalCount.nullable",
        # The published limit cannot be: a charge's id is the merchant's orderId.
        "ChargeResponseV2.id.maxLength",
        # The published limits of these texts are written as if they were numbers.
        "CreateChargeV2.description.minLength",
        "CreateChargeV2.description.maxLength",
        "CreateChargeV2.description.minimum",
        "CreateChargeV2.description.maximum",
        "CreateChargeV2.orderId.minLength",
        "CreateChargeV2.orderId.maxLength",
        "CreateChargeV2.orderId.maximum",
        "InitialChargeV2.description.minLength",
        "InitialChargeV2.description.maxLength",
        "InitialChargeV2.orderId.minLength",
        "InitialChargeV2.orderId.maxLength",
        "RefundRequest.description.minLength",
        "RefundRequest.description.maxLength",
        "RefundRequest.description.minimum",
        # An empty name is refused.
        "DraftAgreementV2.productName.minLength",
        "PatchAgreementV2.productName.minLength",
    },
    "recurring-v3": {
        # The type is optional with LEGACY as its default, as it was before version 3.
        "FlexiblePricingRequestV3.required",
        "LegacyPricingRequestV3.required",
        "VariablePricingRequestV3.required",
        # Real clients send null for what they do not use.
        "DraftAgreementV3.campaign.nullable",
        "DraftAgreementV3.initialCharge.nullable",
        "DraftAgreementV3.interval.nullable",
        # What there is not is answered as null.
        "AgreementResponseV3.externalId.nullable",
        "AgreementResponseV3.merchantAgreementUrl.nullable",
        "AgreementResponseV3.productDescription.nullable",
        "ChargeEvent.transactionId.nullable",
        "ChargeResponseV3.externalAgreementId.nullable",
        "ChargeResponseV3.externalId.nullable",
        "ChargeResponseV3.failureDescription.nullable",
        "ChargeResponseV3.failureReason.enum",
        "ChargeResponseV3.transactionId.nullable",
        # The published limits cannot be: a charge's id is the merchant's orderId, and an address may be longer.
        "AgreementResponseV3.merchantRedirectUrl.maxLength",
        "ChargeReference.chargeId.maxLength",
        "ChargeResponseV3.id.maxLength",
        # An item that was refused is given back as it was, however wrong.
        "ChargeBatchItemDto.required",
        *(
            f"ChargeBatchItemDto.{name}.{what}"
            for name in ("agreementId", "amount", "description", "due", "externalId", "orderId", "retryDays")
            for what in ("nullable", "type")
        ),
        *(f"ChargeBatchItemDto.{name}.{what}" for name in ("amount", "retryDays") for what in ("format",)),
        *(f"ChargeBatchItemDto.orderId.{what}" for what in ("minLength", "maxLength")),
        *(
            f"ChargeBatchItemDto.{name}.{what}"
            for name in ("processingMode", "transactionType")
            for what in ("nullable", "type", "enum")
        ),
        # Each shape of an answer names its own type alone.
        *(f"{name}CampaignResponseV3.type.enum" for name in ("price", "period", "event", "legacy")),
        *(
            f"{name}PricingResponseV3.type.{what}"
            for name in ("Legacy", "Variable", "Flexible")
            for what in ("enum", "type")
        ),
        # Version 2.6 has it, and merchants with an agreement about it still do.
        "fullFlexCampaignV3",
        "fullFlexCampaignResponseV3",
        # An empty name is refused.
        "DraftAgreementV3.productName.minLength",
        "PatchAgreementV3.productName.minLength",
    },
    "epayment": {
        # One object in place of three to choose from: that there is only one of its members is a rule in words.
        "Customer.properties",
        # Only what the payer was asked for, and has, is told.
        "UserDetails.required",
    },
    "webhooks": set(),
    "accesstoken": {
        # Numbers were seen where the description has texts.
        *(
            f"AuthorizationTokenResponse.{name}.type"
            for name in ("expires_in", "ext_expires_in", "expires_on", "not_before")
        ),
        "AuthorizationTokenResponse.access_token.format",
        "TokenResponse.access_token.format",
        "TokenResponse.expires_in.type",
        # Not described.
        "OAuthError",
    },
    "userinfo": {
        # Deprecated, and nobody has any here.
        "Userinfo.properties",
        # The published pattern has fifteen digits, and no number has.
        "UserinfoAddress.country.format",
        "UserinfoAddress.properties",
    },
    "login": {
        # Only RSA keys are published, and their parts alone.
        "JSONWebKey.properties",
        # What the published document leaves out and the real answer has.
        "ErrorResponse.properties",
        "WellKnown.properties",
    },
}


def compare(name: str, ours: Any, theirs: Any, differences: set[str]) -> None:
    for key in ("enum", "required"):
        if set(ours.get(key, [])) != set(theirs.get(key, [])):
            differences.add(f"{name}.{key}")
    for key in LIMITS:
        if ours.get(key) != theirs.get(key):
            differences.add(f"{name}.{key}")
    if set(ours.get("properties", {})) != set(theirs.get("properties", {})):
        differences.add(f"{name}.properties")
    for field, body in ours.get("properties", {}).items():
        if field in theirs.get("properties", {}):
            compare(f"{name}.{field}", body, theirs["properties"][field], differences)
    if "items" in ours:
        compare(f"{name}[]", ours["items"], theirs.get("items", {}), differences)


@pytest.mark.oracle
async def test_answers_have_the_published_shape(sandbox: Any) -> None:
    """What is fetched after a life of states has every required field, and no value outside an enum."""
    document = published("recurring-3.1.2.yaml")
    schemas = document["components"]["schemas"]
    agreement_id = await sandbox.agree(scope="name", externalId="x", productDescription="y")
    charge_id = await sandbox.charge(agreement_id, externalId="z", transactionType="RESERVE_CAPTURE")
    await sandbox.advance_to("2027-02-01T08:00:00Z")
    await sandbox.on_charge("capture", agreement_id, charge_id, 4000)
    agreement, charge = await sandbox.fetch(agreement_id), await sandbox.fetch(agreement_id, charge_id)
    for schema, body in (("AgreementResponseV3", agreement.body), ("ChargeResponseV3", charge.body)):
        assert set(schemas[schema]["required"]) <= set(body)
        assert set(body) <= set(schemas[schema]["properties"])
    event = schemas["ChargeEvent"]
    for line in charge["history"]:
        assert set(event["required"]) <= set(line)
        assert line["event"] in event["properties"]["event"]["enum"]
    assert charge["status"] in schemas["ChargeStatus"]["enum"]
