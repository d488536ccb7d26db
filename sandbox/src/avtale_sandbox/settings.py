"""Every setting of the sandbox, once, with its unit in its name."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct


def _says(description: str) -> Meta:
    return Meta(description=description)


class Settings(Struct, frozen=True, kw_only=True):
    """How one sandbox behaves; the defaults are what a newcomer gets."""

    host: Annotated[str, _says("address to listen on (`--host`)")] = "127.0.0.1"
    port: Annotated[int, _says("port to listen on; 0 takes a free one (`--port`)")] = 8400
    state_path: Annotated[str | None, _says("file that keeps everything across restarts (`--state`)")] = None
    state_synced: Annotated[bool, _says("forces each change to the disk before it is answered (`--state-synced`)")] = (
        False
    )
    ready_path: Annotated[str | None, _says("file that says where it listens, once it does (`--ready-file`)")] = None
    clock_running: Annotated[bool, _says("whether business time runs by itself (`--clock`)")] = True
    start_at: Annotated[str | None, _says("the first instant of business time (`--start-at`)")] = None
    seed: Annotated[str, _says("what ids, secrets and names are drawn from (`--seed`)")] = "avtale"
    profile: Annotated[
        Literal["lenient", "strict"],
        _says("`strict` minds the published limits of calls a minute (`--profile`)"),
    ] = "lenient"
    merchants_path: Annotated[str | None, _says("file of merchants and partners (`--merchants`)")] = None
    issuer_base_url: Annotated[
        str | None,
        _says("names the identity provider, wherever it listens (`--issuer-base-url`)"),
    ] = None

    body_bytes_max: Annotated[int, _says("a longer body is answered 413")] = 1_048_576
    exchanges_kept_max: Annotated[int, _says("how many requests `GET /_sandbox/requests` remembers")] = 5_000
    events_kept_max: Annotated[int, _says("how many events `GET /_sandbox/events` remembers")] = 20_000
    exchange_body_bytes_max: Annotated[int, _says("how much of a body is remembered")] = 65_536
    deliveries_kept_max: Annotated[int, _says("how many ended webhook deliveries are remembered")] = 50_000
    snapshots_kept_max: Annotated[int, _says("how many snapshots are kept")] = 20

    token_life_seconds: Annotated[int, _says("how long a Vipps access token is good, in wall time")] = 3_600
    confirmation_life_seconds: Annotated[int, _says("a draft that nobody answers expires after this")] = 600
    payment_life_seconds: Annotated[int, _says("a single payment that nobody answers expires after this")] = 600
    payment_link_life_seconds: Annotated[int, _says("within which the link to it must have been opened")] = 300
    # Vipps shortened this to one day in October 2025; older descriptions say two.
    charge_lead_days: Annotated[int, _says("a charge is created at least so long before it is due")] = 1
    charge_horizon_years: Annotated[int, _says("and at most so long")] = 2
    charge_visible_days: Annotated[int, _says("so long before it is due, a charge turns from PENDING to DUE")] = 30
    refund_window_days: Annotated[int, _says("how long after its capture a charge can be refunded")] = 365

    webhook_timeout_seconds: Annotated[float, _says("how long a webhook's receiver may take, in wall time")] = 10.0
    webhook_concurrency_max: Annotated[int, _says("how many webhooks are under way at a time")] = 32
    webhook_registrations_max: Annotated[int, _says("registrations of one sales unit for one event")] = 25
    participant_timeout_seconds: Annotated[float, _says("how long a participant of the clock may take to answer")] = (
        30.0
    )
    participant_wait_seconds_max: Annotated[float, _says("how long one asking waits for a participant's quiet")] = 2.0
