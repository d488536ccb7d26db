"""Is this a database that we may serve from: migrated, and entered as a role that row-level security binds?"""

from __future__ import annotations

from sqlalchemy import text

from avtale.storage.database import Database
from avtale.storage.revisions import head_revision, knows_revision


class NotReady(Exception):
    """Why we do not serve from this database, and what to do."""


async def check_ready(db: Database, *, running: bool = False) -> None:
    """Raise NotReady unless the schema is today's and the role neither bypasses nor owns it.

    A process that is `running` goes on in a schema that it does not know yet: a release migrates before its processes
    take the place of the old ones, and what it adds leaves these as they were.
    """
    async with db.routing() as tx:
        role = (
            await tx.conn.execute(
                text("SELECT rolname, rolsuper OR rolbypassrls AS bypasses FROM pg_roles WHERE rolname = current_user")
            )
        ).one()
        owned = (
            await tx.conn.execute(
                text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tableowner = current_user")
            )
        ).scalar_one()
        if role.bypasses or owned:
            raise NotReady(
                f"the role {role.rolname!r} would see every tenant's rows: AVTALE_DATABASE_URL must name a role that "
                "is no superuser, has no BYPASSRLS and owns no table; the owner goes in AVTALE_DATABASE_OWNER_URL"
            )
        migrated = (await tx.conn.execute(text("SELECT to_regclass('public.alembic_version')"))).scalar_one()
        told = text("SELECT version_num FROM alembic_version")
        revision = None if migrated is None else (await tx.conn.execute(told)).scalar_one_or_none()
    ahead = running and revision is not None and not knows_revision(revision)
    if revision != head_revision() and not ahead:
        raise NotReady(f"the schema is at {revision or 'nothing'}, not {head_revision()}: run `avtale db migrate`")
