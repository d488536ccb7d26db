"""What the columns of every table are made of."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    MetaData,
    Text,
    Uuid,
)
from sqlalchemy.sql.type_api import TypeEngine

from avtale.domain.gateway import GatewayName

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "fk": "%(table_name)s_%(referred_table_name)s_fk",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "ix": "%(table_name)s_%(column_0_N_name)s_ix",
    }
)


def among(column: str, values: Iterable[StrEnum]) -> str:
    members = sorted(member.value for member in values)
    return f"{column} IN ({', '.join(repr(m) for m in members)})"


def instant(name: str, nullable: bool = True) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def tenant() -> Column[Any]:
    return Column("tenant_id", Uuid, nullable=False)


def gateway() -> tuple[Column[Any], CheckConstraint]:
    """At which payment company a row's order or agreement is."""
    return needed("gateway", Text), CheckConstraint(among("gateway", GatewayName), name="gateway")


def one_owner() -> CheckConstraint:
    """A row belongs to an agreement or to a purchase, never to both."""
    return CheckConstraint("num_nonnulls(agreement_id, purchase_id) = 1", name="one_owner")


def needed(name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]]) -> Column[Any]:
    return Column(name, kind, nullable=False)
