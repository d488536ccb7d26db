"""Stripe: a tenant's account, the customers that people are there, and whose order an attempt is."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Create its tables, and let every row about an order say at which gateway it is."""
    op.get_bind().exec_driver_sql(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
