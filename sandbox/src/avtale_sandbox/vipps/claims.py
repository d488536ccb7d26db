"""What Vipps tells of a person: which claims each scope stands for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..people import Address, Person

SCOPES = ("name", "address", "email", "phoneNumber", "birthDate", "nin")

_NOWHERE = Address()


def claims_of(person: Person, scopes: Iterable[str]) -> dict[str, Any]:
    """The claims of the scopes (Vipps Userinfo): what is not known is left out, an address is empty instead."""
    asked = set(scopes)
    claims: dict[str, Any] = {}
    if "name" in asked:
        given, _, family = person.name.rpartition(" ")
        claims |= {"name": person.name, "given_name": given or person.name, "family_name": family if given else ""}
    if "phoneNumber" in asked:
        claims |= {"phone_number": person.phone_number, "phone_number_verified": True}
    if "email" in asked and person.email is not None:
        # Nobody's address is verified in the test environment.
        claims |= {"email": person.email, "email_verified": False}
    if "birthDate" in asked and person.birth_date is not None:
        claims["birthdate"] = person.birth_date
    if "nin" in asked and person.nin is not None:
        claims["nin"] = person.nin
    if "address" in asked:
        claims |= {"address": _address(person.address or _NOWHERE), "other_addresses": []}
    return claims


def _address(address: Address) -> dict[str, str]:
    lines = [address.street_address, f"{address.postal_code} {address.region}".strip(), address.country]
    return {
        "address_type": "home" if address != _NOWHERE else "",
        "street_address": address.street_address,
        "postal_code": address.postal_code,
        "region": address.region,
        "country": address.country,
        "formatted": "\n".join(line for line in lines if line),
    }
