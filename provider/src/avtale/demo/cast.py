"""Who takes part: the demo tenant with what it sells, and the people and the merchant whom the sandbox plays."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from avtale.console.adding import ADDED, CLIENT_ID, NOT_ADDED
from avtale.demo.notes import HOST, DemoFailed, Notes
from avtale.domain.periods import Unit
from avtale.service.tenants_file import (
    ClientEntry,
    CustomerApiEntry,
    IssuerEntry,
    MigrationEntry,
    ProductEntry,
    SellerEntry,
    StripeEntry,
    TenantEntry,
    VippsEntry,
)

ORGANIZATION = "example"
SELLER = "Example Film"
#: What ends the paths of the migration's operations in a demonstration.
MOVING_IN = "move-into-the-demo"
CALL_SECONDS_MAX = 30.0
#: The key of the account at Stripe that every sandbox has.
STRIPE_KEY = "sk_test_dev"

#: Test persons beside the one whom every sandbox has.
PEOPLE = (
    {"phoneNumber": "4798765432", "name": "Ola Nordmann"},
    {"phoneNumber": "4745678901", "name": "Kari Solberg"},
)


def demo_tenant(notes: Notes) -> TenantEntry:
    """The tenant of the demonstration; its keys are the sandbox's published ones."""
    return TenantEntry(
        name="film",
        hosts=[HOST, "localhost"],
        public_url=notes.shop_url,
        seller=SellerEntry(
            name=SELLER,
            organization_number="999999999",
            vat_registered=True,
            address="Eksempelveien 1, 0155 Oslo",
        ),
        vipps=VippsEntry(
            base_url=notes.sandbox_url,
            client_id="dev-client-id",
            client_secret="dev-client-secret",
            subscription_key="dev-subscription-key",
            merchant_serial_number="123456",
            # Months are turned through in seconds here, and the sandbox counts nobody's calls.
            charge_calls_per_minute_max=0,
        ),
        migration=MigrationEntry(secret=MOVING_IN),
        stripe=StripeEntry(
            base_url=f"{notes.sandbox_url}/stripe",
            account_id="acct_sandboxdefault01",
            secret_key=STRIPE_KEY,
            publishable_key="pk_test_dev",
        ),
        issuers=[
            IssuerEntry(
                issuer=f"{notes.issuer_base_url}/identity",
                audience="avtale",
                jwks_url=f"{notes.sandbox_url}/identity/jwks.json",
            )
        ],
        customer_api=CustomerApiEntry(
            payment_provider_id=1,
            clients=[
                ClientEntry(
                    client_id=CLIENT_ID,
                    return_urls=[f"{notes.shop_url}{ADDED}"],
                    error_urls=[f"{notes.shop_url}{NOT_ADDED}"],
                )
            ],
        ),
        products=[
            _product(notes, "all-films", "All films", "Every film and series, on every screen", 9900, Unit.MONTH),
            ProductEntry(
                id="one-film",
                name="One film, to rent",
                description="The one that everybody talks about",
                price_minor=4900,
                currency="NOK",
                access_days=2,
                vat_percent=Decimal(25),
            ),
            _product(notes, "short-films", "Short films", "A new one every evening, for the way home", 2900, Unit.WEEK),
        ],
    )


def _product(notes: Notes, name: str, title: str, description: str, price: int, unit: Unit) -> ProductEntry:
    return ProductEntry(
        id=name,
        name=title,
        description=description,
        price_minor=price,
        currency="NOK",
        interval=unit,
        interval_count=1,
        vat_percent=Decimal(25),
        agreement_url=f"{notes.shop_url}/shop/account",
        stripe_price=name,
    )


def instruct_sandbox(notes: Notes) -> None:
    """Have the demo's people and its merchant's name in the sandbox; who is there already stays as they are."""
    known = {person["phoneNumber"] for person in ask_sandbox(notes, "GET", "/people")["people"]}
    for person in PEOPLE:
        if person["phoneNumber"] not in known:
            ask_sandbox(notes, "POST", "/people", person)
    merchants = ask_sandbox(notes, "GET", "/merchants")["merchants"]
    for merchant in merchants:
        if merchant["merchantSerialNumber"] == "123456" and merchant["name"] != SELLER:
            ask_sandbox(notes, "POST", "/merchants", merchant | {"name": SELLER})
    for account in ask_sandbox(notes, "GET", "/stripe/accounts")["accounts"]:
        if account["secretKey"] == STRIPE_KEY and account["name"] != SELLER:
            ask_sandbox(notes, "POST", "/stripe/accounts", account | {"name": SELLER})
    for product in demo_tenant(notes).products:
        if product.stripe_price is not None and product.interval is not None:
            _price_at_stripe(notes, product.stripe_price, product.name, product.price_minor, product.interval)


def _price_at_stripe(notes: Notes, key: str, name: str, price: int, unit: Unit) -> None:
    """Put a subscription on sale at Stripe under a look-up key; one that is there stays as it is."""
    if ask_stripe(notes, "GET", f"/prices?lookup_keys[]={key}")["data"]:
        return
    form = {"currency": "nok", "unit_amount": str(price), "recurring[interval]": unit.value, "lookup_key": key}
    ask_stripe(notes, "POST", "/prices", form | {"product_data[name]": name})


def let_it_turn_our_clock(notes: Notes) -> None:
    """Register the provider as a participant of the sandbox's clock."""
    order = {"name": "avtale", "url": f"{notes.shop_url}/admin/clock", "token": notes.clock_token}
    ask_sandbox(notes, "POST", "/clock/participants", order)


def ask_sandbox(notes: Notes, method: str, path: str, body: object = None) -> dict[str, Any]:
    """One call to the sandbox's control room. Raises DemoFailed unless it is answered well."""
    data = None if body is None else json.dumps(body).encode()
    return _ask(notes, method, f"/_sandbox{path}", data, {"Content-Type": "application/json"})


def ask_stripe(notes: Notes, method: str, path: str, form: Mapping[str, str] | None = None) -> dict[str, Any]:
    """One call to the sandbox's Stripe, as its dashboard makes it. Raises DemoFailed unless it is answered well."""
    data = None if form is None else urllib.parse.urlencode(form).encode()
    headers = {"Authorization": f"Bearer {STRIPE_KEY}", "Content-Type": "application/x-www-form-urlencoded"}
    return _ask(notes, method, f"/stripe/v1{path}", data, headers)


def _ask(notes: Notes, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> dict[str, Any]:
    request = urllib.request.Request(f"{notes.sandbox_url}{path}", method=method, data=data, headers=headers)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            request, timeout=CALL_SECONDS_MAX
        ) as said:
            found = json.loads(said.read() or b"{}")
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise DemoFailed(f"the sandbox does not do what it is told ({method} {path}: {error})") from error
    return found if isinstance(found, dict) else {}
