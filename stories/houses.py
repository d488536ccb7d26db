"""Brings both houses up: PostgreSQL, the sandbox, and a provider of several processes with one product."""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from stories.almanac import iso
from stories.clients import Provider, Sandbox, Stripe
from stories.processes import Processes, ProcessFailed, installed

HOST = "127.0.0.1"
AUDIENCE = "avtale"
ADMIN_ROLE = "avtale:admin"
#: An instant of the clock at which a hundred thousand are due takes its time.
CALL_SECONDS_MAX = 900.0
#: Shorter than the servers' own, so that none closes a connection just as it is used again.
IDLE_SECONDS_MAX = 2.0
#: How often the tenants file is applied before the sandbox counts as not answering.
APPLY_COUNT_MAX = 3
MIGRATION_SECRET = "only-for-who-moves-in"
#: The key of the account at Stripe that every sandbox has.
STRIPE_KEY = "sk_test_dev"


@dataclass(frozen=True)
class Offer:
    """What the tenant sells, and its rules; `price` is in minor units."""

    product_id: str = "film-month"
    name: str = "Film, monthly"
    price: int = 9900
    currency: str = "NOK"
    interval: str = "month"
    grace_days: int = 6
    charge_lead_days: int = 3
    retry_days: int = 5
    charges_per_call_max: int = 1
    merchant_serial_number: str = "123456"
    bigger_id: str = "film-plus"
    metered_id: str = "film-metered"
    rental_id: str = "film-rent"
    rental_name: str = "A film for two days"
    rental_price: int = 3900
    rental_days: int = 2
    stripe_price: str = "film-month"


@dataclass(frozen=True)
class Size:
    """How many processes the provider has."""

    apis: int = 1
    workers: int = 2


@dataclass
class Houses:
    """Both houses, running. Use as an async context manager.

    Processes are named `database`, `sandbox`, `api-1`, `worker-1` and so on, for `processes.kill` and such.
    `provider` speaks as the tenant's administrator; `settings` are more of the provider's environment.
    """

    start_at: datetime = datetime(2027, 1, 31, 9, tzinfo=UTC)
    offer: Offer = field(default_factory=Offer)
    size: Size = field(default_factory=Size)
    settings: Mapping[str, str] = field(default_factory=dict)
    database: Path | None = None  # what `make_database` made, to begin with a copy of it
    sandbox_profile: str = "lenient"  # `strict`: it turns away what is above the limits of Vipps
    sandbox_host: str = HOST  # where the sandbox listens, for workers that are elsewhere

    processes: Processes = field(init=False)
    session: aiohttp.ClientSession = field(init=False)
    sandbox: Sandbox = field(init=False)
    stripe: Stripe = field(init=False)
    provider: Provider = field(init=False)
    base: str = field(init=False)
    bases: list[str] = field(init=False)
    environment: dict[str, str] = field(init=False)

    async def __aenter__(self) -> Self:
        self.processes = Processes()
        self.session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=CALL_SECONDS_MAX),
            connector=aiohttp.TCPConnector(keepalive_timeout=IDLE_SECONDS_MAX),
        )
        try:
            await self._rise()
        except BaseException:
            await self._fall()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._fall()

    def provider_as(self, token: str) -> Provider:
        """The provider's API in the name of another."""
        return Provider(self.session, self.base, token)

    async def restart(self, name: str) -> None:
        """Start a worker or an API process again after it was killed; an API where it was."""
        if name.startswith("api-"):
            port = self.bases[int(name.removeprefix("api-")) - 1].rpartition(":")[2]
            self.processes.restart(name, "--port", port)
            await self.processes.ready(name)
        else:
            self.processes.restart(name)

    def add_worker(self, name: str, *before: str, environment: Mapping[str, str] | None = None) -> None:
        """Start one more worker; `before` is a command that starts it elsewhere, with more of an environment."""
        environment = self.environment | dict(environment or {})
        self.processes.start(name, *before, installed("avtale"), "work", environment=environment)

    async def restart_sandbox(self) -> None:
        """Kill the sandbox as `kill -9` does, and start it again where it was, with what it had written."""
        self.processes.kill("sandbox")
        self.processes.restart("sandbox", "--port", self.sandbox.base.rpartition(":")[2])
        await self.processes.ready("sandbox")

    def stop_database(self) -> None:
        """Stop PostgreSQL: from now on it refuses every connection."""
        self.processes.stop("database")

    def kill_database(self) -> None:
        """Kill PostgreSQL as `kill -9` does, in the middle of whatever it does, and whoever looks after it."""
        pid_file = self.processes.folder / "database" / "cluster" / "postmaster.pid"
        os.kill(int(pid_file.read_text().splitlines()[0]), signal.SIGKILL)
        self.processes.kill("database")

    async def start_database(self) -> None:
        """Start PostgreSQL again where it was, with what was committed."""
        self.processes.restart("database")
        await self.processes.ready("database")

    async def _rise(self) -> None:
        folder = self.processes.folder
        if self.database is not None:
            shutil.copytree(self.database, folder / "database", ignore=shutil.ignore_patterns("port", "*.lock"))
        _start_database(self.processes)
        self.processes.start(
            "sandbox",
            installed("avtale-sandbox"),
            *(
                "serve",
                "--host",
                self.sandbox_host,
                "--port",
                "0",
                "--profile",
                self.sandbox_profile,
                "--clock",
                "frozen",
                "--start-at",
                iso(self.start_at),
            ),
            *("--state", str(folder / "sandbox.state")),
            ready_file=True,
            wave=2,
        )
        database = await self.processes.ready("database")
        self.environment = {
            "AVTALE_DATABASE_URL": database["url"],
            "AVTALE_DATABASE_OWNER_URL": database["ownerUrl"],
            "AVTALE_ENCRYPTION_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "AVTALE_CLOCK": "virtual",
            "AVTALE_CLOCK_TOKEN": secrets.token_urlsafe(16),
            "FILM_VIPPS_SECRET": "dev-client-secret",
            "FILM_VIPPS_KEY": "dev-subscription-key",
            "FILM_MIGRATION_SECRET": MIGRATION_SECRET,
            "FILM_STRIPE_KEY": STRIPE_KEY,
            **self.settings,
        }
        if self.database is None:
            await _migrate(self.processes, self.environment)
        for number in range(1, self.size.apis + 1):
            self._start_provider(f"api-{number}", "serve", "--host", HOST, "--port", "0", ready_file=True)
        names = [f"api-{number}" for number in range(1, self.size.apis + 1)]
        self.bases = [(await self.processes.ready(name))["url"].rstrip("/") for name in names]
        self.base = self.bases[0]
        sandbox = (await self.processes.ready("sandbox"))["url"].rstrip("/")
        self.sandbox = Sandbox(self.session, sandbox)
        self.stripe = Stripe(self.session, sandbox, STRIPE_KEY)
        await self.stripe.price(self.offer.stripe_price, self.offer.price, self.offer.currency, self.offer.interval)
        tenants = folder / "tenants.toml"
        tenants.write_text(_tenants(self.offer, self.base, sandbox), encoding="utf-8")
        apply = (installed("avtale"), "tenants", "apply", str(tenants))
        await self._apply(apply)
        for number in range(1, self.size.workers + 1):
            self._start_provider(f"worker-{number}", "work")
        admin = await self.sandbox.token("operator", AUDIENCE, roles=[ADMIN_ROLE])
        self.provider = self.provider_as(admin)
        token = self.environment["AVTALE_CLOCK_TOKEN"]
        await self.sandbox.take_part("avtale", f"{self.base}/admin/clock", token)
        await self.sandbox.advance(to=self.start_at)  # a participant hears the time in its own time, unless it moves

    async def _apply(self, command: tuple[str, ...]) -> None:
        """Apply the tenants file, and again where a busy machine kept the sandbox from answering in time."""
        for number in range(APPLY_COUNT_MAX):
            try:
                await self.processes.run(f"tenants-apply-{number + 1}", *command, environment=self.environment)
                return
            except ProcessFailed as failed:
                if "apply again" not in failed.tail or number + 1 == APPLY_COUNT_MAX:
                    raise

    def _start_provider(self, name: str, *command: str, ready_file: bool = False) -> None:
        self.processes.start(name, installed("avtale"), *command, environment=self.environment, ready_file=ready_file)

    async def _fall(self) -> None:
        await self.session.close()
        self.processes.end()


async def make_database(processes: Processes) -> Path:
    """The data directory of a migrated database without tenants, stopped; it lasts as long as the processes' folder."""
    _start_database(processes)
    database = await processes.ready("database")
    urls = {"AVTALE_DATABASE_URL": database["url"], "AVTALE_DATABASE_OWNER_URL": database["ownerUrl"]}
    await _migrate(processes, urls)
    processes.stop("database")
    return processes.folder / "database"


def _start_database(processes: Processes) -> None:
    data = str(processes.folder / "database")
    command = (installed("avtale"), "db", "embedded", "--data-dir", data)
    processes.start("database", *command, ready_file=True, wave=3)


async def _migrate(processes: Processes, environment: dict[str, str]) -> None:
    await processes.run("migrate", installed("avtale"), "db", "migrate", environment=environment)


def _tenants(offer: Offer, public_url: str, sandbox: str) -> str:
    return f"""\
[[organizations]]
name = "nordlys"

  [[organizations.tenants]]
  name = "film"
  hosts = ["{HOST}"]
  public_url = "{public_url}"
  zone = "Europe/Oslo"
  environment = "test"
  grace_days = {offer.grace_days}

  [organizations.tenants.seller]
  name = "Nordlys Film AS"
  organization_number = "999999999"
  vat_registered = true
  address = "Storgata 1, 0155 Oslo"

  [organizations.tenants.vipps]
  base_url = "{sandbox}"
  client_id = "dev-client-id"
  client_secret = {{ env = "FILM_VIPPS_SECRET" }}
  subscription_key = {{ env = "FILM_VIPPS_KEY" }}
  merchant_serial_number = "{offer.merchant_serial_number}"
  charge_lead_days = {offer.charge_lead_days}
  retry_days = {offer.retry_days}
  charge_calls_per_minute_max = 0
  charges_per_call_max = {offer.charges_per_call_max}

  [organizations.tenants.migration]
  secret = {{ env = "FILM_MIGRATION_SECRET" }}
  calls_per_minute_max = 1000000

  [organizations.tenants.events]
  private_networks = true

  [organizations.tenants.stripe]
  base_url = "{sandbox}/stripe"
  account_id = "acct_sandboxdefault01"
  secret_key = {{ env = "FILM_STRIPE_KEY" }}
  publishable_key = "pk_test_dev"

  [[organizations.tenants.issuers]]
  issuer = "{sandbox}/identity"
  audience = "{AUDIENCE}"
  admin_role = "{ADMIN_ROLE}"
  roles_claim = "roles"
  subject_claim = "sub"

  [[organizations.tenants.products]]
  id = "{offer.product_id}"
  name = "{offer.name}"
  description = "All films, every day"
  price_minor = {offer.price}
  currency = "{offer.currency}"
  interval = "{offer.interval}"
  interval_count = 1
  vat_percent = "25"
  agreement_url = "https://film.example/agreement"
  stripe_price = "{offer.stripe_price}"

    [[organizations.tenants.products.vouchers]]
    code = "WEEK"
    free_days = 7

    [[organizations.tenants.products.vouchers]]
    code = "SPRING-CODE"
    price_minor = 4900
    periods = 2

    [[organizations.tenants.products.campaigns]]
    id = "three-months"
    kind = "period"
    price_minor = 14900
    period = "month"
    period_count = 3

    [[organizations.tenants.products.campaigns]]
    id = "spring"
    kind = "price"
    price_minor = 0
    until = "2027-03-15"

    [[organizations.tenants.products.campaigns]]
    id = "festival"
    kind = "event"
    price_minor = 4900
    until = "2027-03-10"
    event_text = "to the festival"

  [[organizations.tenants.products]]
  id = "{offer.bigger_id}"
  name = "Film and sport"
  price_minor = 14900
  currency = "{offer.currency}"
  interval = "{offer.interval}"
  vat_percent = "25"
  agreement_url = "https://film.example/agreement"

  [[organizations.tenants.products]]
  id = "{offer.metered_id}"
  name = "Film, by the hour"
  price_minor = 4900
  currency = "{offer.currency}"
  interval = "{offer.interval}"
  vat_percent = "25"
  agreement_url = "https://film.example/agreement"
  suggested_max_minor = 50000

  [[organizations.tenants.products]]
  id = "{offer.rental_id}"
  name = "{offer.rental_name}"
  price_minor = {offer.rental_price}
  currency = "{offer.currency}"
  access_days = {offer.rental_days}
  vat_percent = "25"
"""
