"""New identifiers, UUIDs of version 7, whose order is the order of time (RFC 9562), and new secrets."""

from __future__ import annotations

import base64
import secrets
import time
from uuid import UUID

from avtale.domain.event import SECRET_PREFIX


def new_id() -> UUID:
    """A new identifier; later ones sort after earlier ones, to the millisecond."""
    milliseconds, chance = time.time_ns() // 1_000_000, secrets.randbits(74)
    value = (milliseconds & ((1 << 48) - 1)) << 80 | 7 << 76 | (chance >> 62) << 64
    return UUID(int=value | 0b10 << 62 | chance & ((1 << 62) - 1))


def new_endpoint_secret() -> str:
    """A new secret for an endpoint of events, in the form in which both sides keep it."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
