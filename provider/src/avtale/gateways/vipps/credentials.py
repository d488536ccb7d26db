"""What one sales unit needs to call Vipps MobilePay."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class VippsCredentials:
    """One sales unit's keys; secrets are left out of its text. Raises ValueError where no call could be made.

    `base_url` is scheme and authority (`https://api.vipps.no`); `call_seconds_max` is for one whole call.
    """

    base_url: str
    client_id: str
    client_secret: str = field(repr=False)
    subscription_key: str = field(repr=False)
    merchant_serial_number: str
    call_seconds_max: float = 10.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("base_url is an address like https://api.vipps.no")
        for name in ("client_id", "client_secret", "subscription_key", "merchant_serial_number"):
            value = getattr(self, name)
            if not value or not (value.isascii() and value.isprintable()) or value != value.strip():
                raise ValueError(f"{name} is missing, or has characters that cannot stand in a header")
        if self.call_seconds_max <= 0:
            raise ValueError("call_seconds_max is greater than 0")
