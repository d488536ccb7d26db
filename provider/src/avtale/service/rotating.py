"""Change the encryption key: seal every stored secret with the newest one, so that the older can be thrown away."""

from __future__ import annotations

from avtale.storage.database import Database
from avtale.storage.sealing import Sealer
from avtale.storage.seals import seal_anew
from avtale.storage.tenants import all_tenants


async def rotate_key(db: Database, sealer: Sealer) -> int:
    """Seal anew what another key than the newest has sealed; returns how many secrets. Running it again is safe.

    Each tenant is a transaction of its own, and processes that know both keys go on meanwhile. Raises SealBroken for
    a secret that none of the keys opens; nothing of that tenant is changed then.
    """
    async with db.routing() as tx:
        everyone = await all_tenants(tx)
    count = 0
    for tenant in everyone:
        async with db.tenant(tenant.id) as tx:
            count += await seal_anew(tx, sealer)
    return count
