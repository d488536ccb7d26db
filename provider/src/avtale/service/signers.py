"""Who may have signed a webhook: a tenant's live secrets and its account, remembered for a moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from avtale.domain.gateway import GatewayName
from avtale.service.registering import live_secrets
from avtale.storage.database import Database
from avtale.storage.sealing import Sealer
from avtale.storage.stripe_accounts import StripeAccount, get_account

#: How long secrets are believed before their rows are read again, in seconds of wall time.
BELIEVED_SECONDS_MAX = 3.0


@dataclass(frozen=True, slots=True)
class Signer:
    """The secrets that may have signed for a tenant at a gateway, and its account where that is Stripe."""

    secrets: tuple[str, ...]
    account: StripeAccount | None


class Signers:
    """Webhooks come in bursts: without a memory each of them would read the same rows. What a remembered secret did
    not sign is no forgery yet; the rows are read again first."""

    def __init__(self, db: Database, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._monotonic = monotonic
        self._known: dict[tuple[UUID, GatewayName], tuple[float, Signer]] = {}

    async def find(
        self, sealer: Sealer, tenant_id: UUID, gateway: GatewayName, fits: Callable[[Signer], bool]
    ) -> tuple[Signer, bool]:
        """The signer that is remembered, if it fits, else the one of the rows; and whether it fits."""
        known = self._known.get((tenant_id, gateway))
        if known is not None and self._monotonic() - known[0] < BELIEVED_SECONDS_MAX and fits(known[1]):
            return known[1], True
        asked = self._monotonic()
        async with self._db.tenant(tenant_id) as tx:
            secrets = tuple(await live_secrets(tx, sealer, gateway))
            account = await get_account(tx) if gateway is GatewayName.STRIPE else None
        signer = Signer(secrets, account)
        self._known[tenant_id, gateway] = asked, signer
        return signer, fits(signer)
