"""Every setting, once: read from the environment, each as AVTALE_ and its name in capitals."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Clock(StrEnum):
    """Where business time comes from: the system, or a row that a test turns."""

    SYSTEM = "system"
    VIRTUAL = "virtual"


class Settings(BaseSettings):
    """What a process is told. Secrets never show in its text."""

    model_config = SettingsConfigDict(env_prefix="AVTALE_", extra="ignore")

    database_url: SecretStr | None = Field(None, description="PostgreSQL as the application role, which serves")
    database_owner_url: SecretStr | None = Field(None, description="PostgreSQL as the owner, for `avtale db` only")
    encryption_key: SecretStr | None = Field(
        None, description="keys for secrets at rest, comma separated, the newest first"
    )
    clock: Clock = Field(Clock.SYSTEM, description="`virtual` lets a test turn business time; never in production")
    clock_token: SecretStr | None = Field(None, description="the bearer token of whoever turns a virtual clock")
    log_format: str = Field("text", pattern="^(text|json)$", description="text or json")
    database_connections_max: int = Field(10, ge=2, le=200, description="connections of one process")
    jobs_at_once_max: int = Field(4, ge=1, le=64, description="jobs that one worker runs at a time")
    vipps_call_seconds_max: float = Field(
        10.0, gt=0, le=30, description="how long one call to Vipps or Stripe may take"
    )
    event_call_seconds_max: float = Field(10.0, gt=0, le=30, description="how long one delivery of an event may take")
    customer_calls_per_minute_max: int = Field(
        60,
        ge=1,
        le=100_000,
        description="calls a minute of one person to the customer API, which may also come at once",
    )
    console: bool = Field(False, description="serve the web pages for people (demo shop and operator) beside the API")
    sign_in_client_id: str = Field("dev-web", description="the public client that people sign in as with a browser")
    sign_in_discovery_url: str | None = Field(
        None, description="the identity provider's OpenID configuration, where it is not below the issuer's own address"
    )
    console_sandbox_url: str | None = Field(
        None, description="the sandbox whose clock the pages may turn; only for demonstrations"
    )
    data_dir: Path = Field(Path(".avtale"), description="where the embedded database and demo data live")


class SettingMissing(Exception):
    """A setting that this command needs is not there; the text says which, and how to get it."""


def needed(value: SecretStr | None, name: str) -> str:
    """The value of a setting that this command cannot do without. Raises SettingMissing."""
    if value is None or not value.get_secret_value():
        raise SettingMissing(f"AVTALE_{name} is not set (see `avtale --help`)")
    return value.get_secret_value()
