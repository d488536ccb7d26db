"""The default database: an embedded server with its two roles and one database, for development and tests."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from avtale.storage.embedded import EmbeddedPostgres

OWNER_ROLE = "avtale_owner"
APPLICATION_ROLE = "avtale"
DATABASE = "avtale"


@dataclass(frozen=True, slots=True)
class Home:
    """The addresses of a database: for the application, and for its owner, who migrates."""

    url: str
    owner_url: str


def make_home(server: EmbeddedPostgres, folder: Path, database: str = DATABASE) -> Home:
    """Have both roles and a database of this name on a running server; passwords stay in `folder`, mode 0600."""
    passwords = _passwords(folder / "passwords.json")
    with psycopg.connect(server.superuser_url, autocommit=True) as connection:
        for role, password in passwords.items():
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
            verb = "ALTER" if known else "CREATE"
            connection.execute(
                sql.SQL(f"{verb} ROLE {{}} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB PASSWORD {{}}").format(
                    sql.Identifier(role), sql.Literal(password)
                )
            )
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), sql.Identifier(OWNER_ROLE))
            )
    return Home(
        url=server.url(APPLICATION_ROLE, passwords[APPLICATION_ROLE], database),
        owner_url=server.url(OWNER_ROLE, passwords[OWNER_ROLE], database),
    )


def _passwords(path: Path) -> dict[str, str]:
    if path.exists():
        stored: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        return stored
    made = {role: secrets.token_urlsafe(24) for role in (OWNER_ROLE, APPLICATION_ROLE)}
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(made, file)
    return made
