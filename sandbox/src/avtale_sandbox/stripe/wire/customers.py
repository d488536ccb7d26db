"""Customers, their cards, and accounts on the wire."""

from __future__ import annotations

from typing import Any

from ..books import Books
from ..cards import CARDS
from ..resources import Account, Customer, PaymentMethod
from .shapes import address, shaped


def customer(books: Books, row: Customer) -> dict[str, Any]:
    """A customer; `delinquent` while the latest invoice of a subscription could not be paid."""
    subscriptions = books.subscriptions.of(row.account, "customer", row.id)
    return shaped(
        "customer",
        id=row.id,
        created=row.created,
        address=address(row.address),
        balance=0,
        currency=row.currency,
        delinquent=any(one.status in ("past_due", "unpaid") for one in subscriptions),
        description=row.description,
        email=row.email,
        invoice_prefix=invoice_prefix(row),
        invoice_settings=shaped(
            "customer.invoice_settings", default_payment_method=row.default_payment_method, footer=row.footer
        ),
        metadata=row.metadata,
        name=row.name,
        next_invoice_sequence=row.next_invoice_sequence,
        phone=row.phone,
        preferred_locales=row.preferred_locales,
        shipping=shipping(row.shipping),
        tax_exempt="none",
    )


def invoice_prefix(row: Customer) -> str:
    """What the numbers of a customer's invoices begin with."""
    return row.id.removeprefix("cus_")[:8].upper()


def shipping(given: dict[str, Any] | None) -> dict[str, Any] | None:
    """Where to send things, or None."""
    if not given:
        return None
    return shaped("shipping", **{**given, "address": address(given.get("address"))})


def billing_details(given: dict[str, Any]) -> dict[str, Any]:
    """Whose card it is."""
    plain = {name: given.get(name) or None for name in ("email", "name", "phone")}
    return {"address": address(given.get("address")) or shaped("address"), **plain, "tax_id": None}


def payment_method(books: Books, row: PaymentMethod) -> dict[str, Any]:
    """A card."""
    card = CARDS[row.card]
    return shaped(
        "payment_method",
        id=row.id,
        created=row.created,
        allow_redisplay=row.allow_redisplay,
        billing_details=billing_details(row.billing_details),
        card=shaped(
            "payment_method.card",
            brand=card.brand,
            checks=shaped("charge.checks", cvc_check="pass" if row.customer else "unchecked"),
            country=card.country,
            display_brand=card.brand,
            exp_month=row.exp_month,
            exp_year=row.exp_year,
            fingerprint=fingerprint(books, row.account, card.number),
            funding=card.funding,
            last4=card.last4,
            networks={"available": [card.brand], "preferred": None},
            regulated_status="unregulated",
            three_d_secure_usage={"supported": True},
        ),
        customer=row.customer,
        metadata=row.metadata,
        radar_options={"session": None},
        type="card",
    )


def fingerprint(books: Books, account: str, number: str) -> str:
    """What is the same for one card number in one account."""
    return books.ids.letters(f"card:{account}:{number}", 0, 16)


def account(row: Account) -> dict[str, Any]:
    """An account that may do everything."""
    settings = shaped(
        "account.settings",
        dashboard={"display_name": row.name, "timezone": "Etc/UTC"},
        invoices={"default_account_tax_ids": None, "hosted_payment_method_save": "offer"},
        payouts=shaped(
            "account.payouts",
            schedule={
                "delay_days": 7,
                "interval": "daily",
                "monthly_anchor": None,
                "monthly_payout_days": None,
                "weekly_anchor": None,
                "weekly_payout_days": None,
            },
        ),
    )
    settings["card_payments"]["decline_on"] = {"avs_failure": False, "cvc_failure": False}
    nothing_due = shaped(
        "account.requirements",
        alternatives=[],
        currently_due=[],
        errors=[],
        eventually_due=[],
        past_due=[],
        pending_verification=[],
    )
    return shaped(
        "account",
        id=row.id,
        business_profile=shaped("account.business_profile", name=row.name),
        business_type="company",
        capabilities={"card_payments": "active", "transfers": "active"},
        charges_enabled=True,
        controller=shaped("account.controller", type="account"),
        country=row.country,
        created=row.created,
        default_currency=row.currency,
        details_submitted=True,
        email=row.email,
        external_accounts={
            "object": "list",
            "data": [],
            "has_more": False,
            "url": f"/v1/accounts/{row.id}/external_accounts",
        },
        future_requirements=nothing_due,
        metadata={},
        payouts_enabled=True,
        requirements=nothing_due,
        settings=settings,
        tos_acceptance={"date": None, "ip": None, "service_agreement": None, "user_agent": None},
        type="standard",
    )
