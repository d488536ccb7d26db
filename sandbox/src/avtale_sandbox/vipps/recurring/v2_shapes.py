"""How version 2 of Recurring spells agreements and charges, and reads what merchants ask for."""

from __future__ import annotations

from typing import Any

from ...instants import iso
from ..refusals import invalid
from .resources import Agreement, Campaign, Charge, Interval
from .terms import CampaignTerms, ChargeTerms, DraftTerms, InitialChargeTerms, UpdateTerms
from .wording import due_instant, failure_text, instant


def agreement_shape(agreement: Agreement, base_url: str) -> dict[str, Any]:
    """An agreement as it is fetched and listed. What only version 3 has shows as 0, null, or not at all."""
    interval, sub = agreement.interval, agreement.sub
    shape: dict[str, Any] = {
        "id": agreement.id,
        "status": agreement.status,
        "price": agreement.amount,
        "currency": agreement.currency,
        "interval": None if interval is None else interval.unit,
        "intervalCount": None if interval is None else interval.count,
        "productName": agreement.product_name,
        "productDescription": agreement.product_description,
        "campaign": None if agreement.campaign is None else _campaign(agreement.campaign, agreement.created),
        "start": instant(agreement.start),
        "stop": instant(agreement.stop),
        "merchantAgreementUrl": agreement.agreement_url,
        "sub": sub,
        "userinfoUrl": None if sub is None else f"{base_url}/vipps-userinfo-api/userinfo/{sub}",
    }
    if agreement.pricing == "VARIABLE":
        shape["variableAmount"] = {"suggestedMaxAmount": agreement.suggested_max_amount}
        if agreement.max_amount is not None:
            shape["variableAmount"]["maxAmount"] = agreement.max_amount
    return shape


def charge_shape(charge: Charge) -> dict[str, Any]:
    """A charge as it is fetched, listed and cancelled; version 2 knows no unscheduled charges."""
    return {
        "id": charge.id,
        "amount": charge.amount,
        "amountRefunded": charge.refunded,
        "description": charge.description,
        "due": due_instant(charge),
        "status": charge.status,
        "transactionId": charge.transaction_id,
        "type": "INITIAL" if charge.type == "INITIAL" else "RECURRING",
        "failureReason": charge.failure_reason,
        "failureDescription": failure_text(charge),
    }


def draft_terms(body: dict[str, Any]) -> DraftTerms:
    """Read the body of DraftAgreement, already checked against the contract; raises Refused."""
    variable, campaign, initial = body.get("variableAmount"), body.get("campaign"), body.get("initialCharge")
    if initial is not None and initial["currency"] != body["currency"]:
        raise invalid("initialCharge.currency", "must be the currency of the agreement")
    return DraftTerms(
        pricing="LEGACY" if variable is None else "VARIABLE",
        currency=body["currency"],
        amount=body.get("price"),
        suggested_max_amount=None if variable is None else variable["suggestedMaxAmount"],
        interval=Interval(body["interval"], body["intervalCount"]),
        redirect_url=body["merchantRedirectUrl"],
        agreement_url=body["merchantAgreementUrl"],
        product_name=body["productName"],
        product_description=body.get("productDescription"),
        phone_number=body.get("customerPhoneNumber") or None,
        is_app=body.get("isApp") or False,
        skip_landing_page=body.get("skipLandingPage") or False,
        scope=body.get("scope"),
        campaign=None if campaign is None else _read_campaign(campaign),
        initial_charge=None
        if initial is None
        else InitialChargeTerms(
            amount=initial["amount"],
            description=initial["description"],
            transaction_type=initial["transactionType"],
            order_id=initial.get("orderId"),
        ),
    )


def update_terms(body: dict[str, Any]) -> UpdateTerms:
    """Read the body of UpdateAgreementPatch without a status, already checked against the contract.

    A price may be lower here than a sales unit's least amount, down to 0.
    """
    campaign = body.get("campaign")
    return UpdateTerms(
        product_name=body.get("productName"),
        product_description=body.get("productDescription"),
        agreement_url=body.get("merchantAgreementUrl"),
        amount=body.get("price"),
        amount_min=0,
        suggested_max_amount=body.get("suggestedMaxAmount"),
        campaign=None if campaign is None else _read_campaign(campaign),
    )


def charge_terms(body: dict[str, Any], currency: str) -> ChargeTerms:
    """Read the body of CreateCharge, whose currency must be that of the sales unit; raises Refused.

    Version 2 reserves initial charges only: every other one is captured when it is taken.
    """
    if body["currency"] != currency:
        raise invalid("currency", f"must be {currency}, the currency of the sales unit")
    return ChargeTerms(
        amount=body["amount"],
        description=body["description"],
        transaction_type="DIRECT_CAPTURE",
        due=body["due"],
        retry_days=body["retryDays"],
        order_id=body.get("orderId"),
    )


def _campaign(campaign: Campaign, created: int) -> dict[str, Any]:
    start = created if campaign.start is None else campaign.start
    return {"campaignPrice": campaign.price, "start": iso(start), "end": iso(campaign.end)}


def _read_campaign(shape: dict[str, Any]) -> CampaignTerms:
    return CampaignTerms(type="LEGACY_CAMPAIGN", price=shape["campaignPrice"], end=shape["end"])
