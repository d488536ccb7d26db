"""How version 3 of Recurring spells agreements and charges, and reads what merchants ask for."""

from __future__ import annotations

from typing import Any, cast

from ...instants import iso
from .resources import Agreement, Campaign, Charge, Interval, Occurrence, PricingType
from .terms import CampaignTerms, ChargeTerms, DraftTerms, InitialChargeTerms, UpdateTerms
from .wording import due_instant, failure_text, instant


def agreement_shape(agreement: Agreement, confirmation_url: str, base_url: str, country: str) -> dict[str, Any]:
    """An agreement as it is fetched and listed."""
    sub = agreement.sub
    return {
        "id": agreement.id,
        "uuid": agreement.uuid,
        "status": agreement.status,
        "created": iso(agreement.created),
        "start": instant(agreement.start),
        "stop": instant(agreement.stop),
        "productName": agreement.product_name,
        "productDescription": agreement.product_description,
        "pricing": _pricing(agreement),
        "interval": _interval(agreement.interval),
        "campaign": None if agreement.campaign is None else _campaign(agreement.campaign),
        "merchantAgreementUrl": agreement.agreement_url,
        "merchantRedirectUrl": agreement.redirect_url,
        "countryCode": country,
        "externalId": agreement.external_id,
        "sub": sub,
        "userinfoUrl": None if sub is None else f"{base_url}/vipps-userinfo-api/userinfo/{sub}",
        "vippsConfirmationUrl": confirmation_url,
    }


def charge_shape(charge: Charge, external_agreement_id: str | None) -> dict[str, Any]:
    """A charge as it is fetched and listed."""
    return {
        "id": charge.id,
        "agreementId": charge.agreement_id,
        "externalId": charge.external_id,
        "externalAgreementId": external_agreement_id,
        "amount": charge.amount,
        "currency": charge.currency,
        "description": charge.description,
        "due": due_instant(charge),
        "retryDays": charge.retry_days,
        "processingMode": charge.processing_mode,
        "status": charge.status,
        "type": charge.type,
        "transactionType": charge.transaction_type,
        "transactionId": charge.transaction_id,
        "failureReason": charge.failure_reason,
        "failureDescription": failure_text(charge),
        "summary": {
            "captured": charge.captured,
            "refunded": charge.refunded,
            "cancelled": charge.cancelled,
        },
        "history": [_occurrence(line) for line in charge.history],
    }


def draft_terms(body: dict[str, Any]) -> DraftTerms:
    """Read the body of DraftAgreementV3, already checked against the contract."""
    pricing = body["pricing"]
    campaign, initial = body.get("campaign"), body.get("initialCharge")
    return DraftTerms(
        pricing=cast(PricingType, pricing.get("type") or "LEGACY"),
        currency=pricing["currency"],
        amount=pricing.get("amount"),
        suggested_max_amount=pricing.get("suggestedMaxAmount"),
        interval=_read_interval(body.get("interval")),
        redirect_url=body["merchantRedirectUrl"],
        agreement_url=body.get("merchantAgreementUrl"),
        product_name=body["productName"],
        product_description=body.get("productDescription"),
        phone_number=body.get("phoneNumber") or None,
        external_id=body.get("externalId"),
        is_app=body.get("isApp") or False,
        skip_landing_page=body.get("skipLandingPage") or False,
        scope=body.get("scope"),
        campaign=None
        if campaign is None
        else CampaignTerms(
            type=campaign["type"],
            price=campaign["price"],
            end=campaign.get("end"),
            period=_read_interval(campaign.get("interval" if campaign["type"] == "FULL_FLEX_CAMPAIGN" else "period")),
            event_date=campaign.get("eventDate"),
            event_text=campaign.get("eventText"),
        ),
        initial_charge=None
        if initial is None
        else InitialChargeTerms(
            amount=initial["amount"],
            description=initial["description"],
            transaction_type=initial["transactionType"],
            order_id=initial.get("orderId"),
            external_id=initial.get("externalId"),
        ),
    )


def update_terms(body: dict[str, Any]) -> UpdateTerms:
    """Read the body of UpdateAgreementPatchV3 without a status, already checked against the contract."""
    pricing, interval = body.get("pricing") or {}, body.get("interval") or {}
    return UpdateTerms(
        product_name=body.get("productName"),
        product_description=body.get("productDescription"),
        agreement_url=body.get("merchantAgreementUrl"),
        external_id=body.get("externalId"),
        amount=pricing.get("amount"),
        suggested_max_amount=pricing.get("suggestedMaxAmount"),
        interval=_read_interval(interval.get("period")),
        interval_removed=interval.get("type") == "FLEXIBLE",
    )


def charge_terms(body: dict[str, Any]) -> ChargeTerms:
    """Read the body of CreateChargeV3 or one item of CreateChargeAsyncV3."""
    return ChargeTerms(
        amount=body["amount"],
        description=body["description"],
        transaction_type=body["transactionType"],
        type=body.get("type") or "RECURRING",
        due=body.get("due"),
        retry_days=body.get("retryDays"),
        processing_mode=body.get("processingMode"),
        order_id=body.get("orderId"),
        external_id=body.get("externalId"),
    )


def _pricing(agreement: Agreement) -> dict[str, Any]:
    shape: dict[str, Any] = {"type": agreement.pricing, "currency": agreement.currency}
    if agreement.pricing == "LEGACY":
        shape["amount"] = agreement.amount
    elif agreement.pricing == "VARIABLE":
        shape["suggestedMaxAmount"] = agreement.suggested_max_amount
        if agreement.max_amount is not None:
            shape["maxAmount"] = agreement.max_amount
    return shape


def _interval(interval: Interval | None) -> dict[str, Any]:
    if interval is None:
        return {"text": "flexible interval"}
    unit = interval.unit.lower()
    text = f"every {unit}" if interval.count == 1 else f"every {interval.count} {unit}s"
    return {"unit": interval.unit, "count": interval.count, "text": text}


def _campaign(campaign: Campaign) -> dict[str, Any]:
    shape: dict[str, Any] = {"type": campaign.type, "price": campaign.price}
    if campaign.type == "EVENT_CAMPAIGN":
        shape |= {"eventDate": iso(campaign.end), "eventText": campaign.text}
    else:
        shape["end"] = iso(campaign.end)
    if campaign.period is not None:
        name = "interval" if campaign.type == "FULL_FLEX_CAMPAIGN" else "period"
        shape[name] = {"unit": campaign.period.unit, "count": campaign.period.count}
    return shape | {"explanation": campaign.explanation}


def _occurrence(line: Occurrence) -> dict[str, Any]:
    return {
        "occurred": iso(line.at),
        "event": line.event,
        "amount": line.amount,
        "idempotencyKey": line.key,
        "success": line.success,
        "transactionId": line.transaction_id,
    }


def _read_interval(shape: dict[str, Any] | None) -> Interval | None:
    return None if shape is None else Interval(shape["unit"], shape["count"])
