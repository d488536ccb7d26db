"""What one account needs to call Stripe."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class StripeCredentials:
    """One account's keys; secrets are left out of its text.

    `connected`: the key is a platform's, and speaks for the account. `call_seconds_max` is for one whole call.
    """

    base_url: str
    account_id: str
    secret_key: str = field(repr=False)
    publishable_key: str
    livemode: bool
    connected: bool
    call_seconds_max: float = 10.0
