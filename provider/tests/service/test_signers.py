"""Who may have signed a webhook is remembered for a moment, and never so that an honest one is refused."""

from __future__ import annotations

from collections.abc import Callable

from avtale.domain.gateway import GatewayName
from avtale.service.ids import new_id
from avtale.service.signers import BELIEVED_SECONDS_MAX, Signer, Signers
from avtale.storage import tables as t
from avtale.storage import webhooks

from .conftest import Shop

VIPPS = GatewayName.VIPPS


def signed_with(secret: str) -> Callable[[Signer], bool]:
    return lambda signer: secret in signer.secrets


async def test_a_new_secret_holds_at_once_and_one_that_is_gone_for_a_moment(shop: Shop) -> None:
    now = 0.0
    signers = Signers(shop.db, lambda: now)

    async def holds(secret: str) -> bool:
        signer, fits = await signers.find(shop.sealer, shop.tenant.id, VIPPS, signed_with(secret))
        assert fits == (secret in signer.secrets)
        return fits

    async def register(secret: str) -> None:
        async with shop.db.tenant(shop.tenant.id) as tx:
            registration = new_id()
            await webhooks.insert_intent(tx, registration, VIPPS, "http://127.0.0.1:9/hook")
            await webhooks.activate(tx, registration, f"for {secret}", shop.sealer.seal(secret))

    await register("the old one")
    assert await holds("the old one")
    await register("the new one")
    assert await holds("the new one")
    async with shop.db.tenant(shop.tenant.id) as tx:
        await tx.conn.execute(t.webhook_registrations.delete())
    assert await holds("the old one")
    now += BELIEVED_SECONDS_MAX
    assert not await holds("the old one")
