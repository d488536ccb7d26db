"""Who may call: sales units with their keys, each in one market and blind to the others."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from .store import Store

_LINK = re.compile(r"(?!javascript:|data:|vbscript:)[A-Za-z][A-Za-z0-9+.\-]*://[!-~]+\Z", re.IGNORECASE)

MarketName = Literal["NO", "DK", "FI"]


class Market(Struct, frozen=True, dict=True):
    """What differs between countries (Vipps Recurring, currencies, charge times and reservations).

    Amounts are minor units; `slot_hours` are the local hours at which due charges are tried; a reservation
    that is not captured within `reservation_days` is released.
    """

    name: MarketName
    currency: str
    zone_name: str
    slot_hours: tuple[int, ...]
    amount_min: int
    suggested_max_amount_max: int
    reservation_days: int
    agreement_url_required: bool

    @cached_property
    def zone(self) -> ZoneInfo:
        """The market's time zone."""
        return ZoneInfo(self.zone_name)


MARKETS: dict[str, Market] = {
    "NO": Market("NO", "NOK", "Europe/Oslo", (9, 17), 100, 2_000_000, 180, True),
    "DK": Market("DK", "DKK", "Europe/Copenhagen", (3, 13, 18, 20, 22, 23), 1, 30_000_000, 14, False),
    "FI": Market("FI", "EUR", "Europe/Helsinki", (3, 13, 18, 20, 22, 23), 1, 200_000, 14, False),
}


# How long a sales unit that may capture late can do so, in any market.
LATE_CAPTURE_DAYS = 180


class Merchant(Struct, kw_only=True, rename="camel"):
    """One sales unit: its keys, its serial number (MSN) and what it may do.

    Login sends people back to one of its `redirect_uris` alone, unless `any_redirect_uri` is set.
    """

    client_id: str
    client_secret: str
    subscription_key: str
    merchant_serial_number: str
    name: str = "Test merchant"
    market: MarketName = "NO"
    skip_landing_page_allowed: bool = False
    unscheduled_allowed: bool = False
    full_flex_allowed: bool = False
    redirect_uris: list[str] = []
    any_redirect_uri: bool = False
    push_message_allowed: bool = False
    long_living_allowed: bool = False
    late_capture_allowed: bool = False
    partial_capture_allowed: bool = True
    express_allowed: bool = False
    nin_allowed: bool = False

    @property
    def terms(self) -> Market:
        """The rules of the market it sells in."""
        return MARKETS[self.market]

    def may_return_to(self, uri: str) -> bool:
        """Whether Login may send a browser there: registered to the letter, or any web or app address if allowed."""
        return uri in self.redirect_uris or (self.any_redirect_uri and is_link(uri))

    @property
    def capture_days(self) -> int:
        """How long a reservation can be captured (Vipps, deadlines of captures)."""
        return LATE_CAPTURE_DAYS if self.late_capture_allowed else self.terms.reservation_days


class Partner(Struct, kw_only=True, rename="camel"):
    """Somebody who calls for several sales units with one set of keys, naming the sales unit in each call."""

    client_id: str
    client_secret: str
    subscription_key: str
    name: str = "Test partner"
    merchant_serial_numbers: list[str] = []


class Cast(Struct, forbid_unknown_fields=True):
    """A file of merchants and partners."""

    merchants: list[Merchant] = []
    partners: list[Partner] = []


DEFAULT_MERCHANT = Merchant(
    client_id="dev-client-id",
    client_secret="dev-client-secret",
    subscription_key="dev-subscription-key",
    merchant_serial_number="123456",
    name="Demo merchant",
    any_redirect_uri=True,
)


class Merchants:
    """All merchants and partners, found by serial number, client id or subscription key."""

    def __init__(self, store: Store) -> None:
        self._table = store.table("merchant", Merchant)
        self._partners = store.table("partner", Partner)
        self._by_msn: dict[str, Merchant] = {}
        self._by_client: dict[str, Merchant] = {}
        self._by_partner: dict[str, Partner] = {}
        self._subscription_keys: set[str] = set()

    def load(self, cast: Cast | None = None) -> None:
        """Build the look-ups from the store and a file's content, with the default merchant when there is nobody.

        Raises ValueError for a merchant or partner of the file that cannot be.
        """
        cast = cast or Cast()
        if not len(self._table) and not cast.merchants:
            self._table.put(DEFAULT_MERCHANT.merchant_serial_number, DEFAULT_MERCHANT)
        self._read()
        for merchant in cast.merchants:
            self.save(merchant)
        for partner in cast.partners:
            self.save_partner(partner)

    def _read(self) -> None:
        merchants = list(self._table.values())
        self._by_msn = {merchant.merchant_serial_number: merchant for merchant in merchants}
        self._by_client = {merchant.client_id: merchant for merchant in merchants}
        partners = list(self._partners.values())
        self._by_partner = {partner.client_id: partner for partner in partners}
        self._subscription_keys = {merchant.subscription_key for merchant in merchants}
        self._subscription_keys |= {partner.subscription_key for partner in partners}

    def all(self) -> list[Merchant]:
        """Every merchant, oldest first."""
        return list(self._by_msn.values())

    def of_msn(self, msn: str) -> Merchant | None:
        """The merchant with this serial number."""
        return self._by_msn.get(msn)

    def of_client(self, client_id: str) -> Merchant | None:
        """The merchant with this client id."""
        return self._by_client.get(client_id)

    def partners(self) -> list[Partner]:
        """Every partner, oldest first."""
        return list(self._by_partner.values())

    def holder(self, client_id: str) -> Merchant | Partner | None:
        """The merchant or the partner with this client id."""
        return self._by_client.get(client_id) or self._by_partner.get(client_id)

    def called_for(self, client_id: str, msn: str | None) -> Merchant | None:
        """The sales unit that the holder of a client id calls for: a merchant's own, or the one a partner names."""
        holder = self.holder(client_id)
        if isinstance(holder, Partner):
            return self._by_msn.get(msn) if msn in holder.merchant_serial_numbers and msn else None
        return holder if holder is None or not msn or msn == holder.merchant_serial_number else None

    def knows_subscription_key(self, key: str) -> bool:
        """Whether any merchant has this subscription key."""
        return key in self._subscription_keys

    def save(self, merchant: Merchant) -> None:
        """Add a merchant, or change the one with its serial number.

        Raises ValueError for a number that is none, for missing keys, and when somebody else has its client id.
        """
        number = merchant.merchant_serial_number
        if not (number.isascii() and number.isdigit() and 4 <= len(number) <= 7):
            raise ValueError("merchantSerialNumber must be 4 to 7 digits")
        _check_keys(merchant)
        holder = self._by_client.get(merchant.client_id)
        taken = holder is not None and holder.merchant_serial_number != merchant.merchant_serial_number
        if taken or merchant.client_id in self._by_partner:
            raise Taken(f"another merchant or partner has the client id {merchant.client_id!r}")
        self._table.put(merchant.merchant_serial_number, merchant)
        self._read()

    def save_partner(self, partner: Partner) -> None:
        """Add a partner, or change the one with its client id; raises ValueError likewise."""
        _check_keys(partner)
        if partner.client_id in self._by_client:
            raise Taken(f"a merchant has the client id {partner.client_id!r}")
        self._partners.put(partner.client_id, partner)
        self._read()


def read_cast(path: Path) -> Cast:
    """Read a file of merchants and partners, in YAML or JSON; raises ValueError, saying what is wrong with it."""
    import yaml

    try:
        # Every word as it is written: elsewhere in YAML, NO is a no and a serial number a number.
        return msgspec.convert(yaml.load(path.read_bytes(), yaml.BaseLoader), Cast, strict=False)
    except (OSError, yaml.YAMLError, msgspec.ValidationError) as problem:
        raise ValueError(f"{path}: {problem}") from problem


class Taken(ValueError):
    """Somebody else has the client id."""


def _check_keys(holder: Merchant | Partner) -> None:
    if not (holder.client_id and holder.client_secret and holder.subscription_key):
        raise ValueError("clientId, clientSecret and subscriptionKey must not be empty")


def is_link(uri: str) -> bool:
    """Whether an address can be followed, on the web or into an app, without running code."""
    return "#" not in uri and _LINK.match(uri) is not None
