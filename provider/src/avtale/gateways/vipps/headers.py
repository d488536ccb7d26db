"""What every call to Vipps says of its sender: the sales unit, its subscription key, and this software."""

from __future__ import annotations

from avtale.gateways.outbound import VERSION
from avtale.gateways.vipps.credentials import VippsCredentials

#: Vipps keeps no more of each `Vipps-System-…` header (Vipps, HTTP headers).
SYSTEM_HEADER_CHARACTERS_MAX = 30


def identification(credentials: VippsCredentials) -> dict[str, str]:
    """The headers of every call, without its token."""
    return {
        "Ocp-Apim-Subscription-Key": credentials.subscription_key,
        "Merchant-Serial-Number": credentials.merchant_serial_number,
        "Vipps-System-Name": "avtale",
        "Vipps-System-Version": VERSION[:SYSTEM_HEADER_CHARACTERS_MAX],
        "Vipps-System-Plugin-Name": "avtale-vipps",
        "Vipps-System-Plugin-Version": VERSION[:SYSTEM_HEADER_CHARACTERS_MAX],
        "Accept": "application/json",
    }
