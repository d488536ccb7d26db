"""Every setting of the sandbox, once, with its unit in its name."""

from __future__ import annotations

from msgspec import Struct


class Settings(Struct, frozen=True, kw_only=True):
    """How one sandbox behaves; the defaults are what a newcomer gets."""

    host: str = "127.0.0.1"
    port: int = 8400
    state_path: str | None = None
    ready_path: str | None = None
    clock_running: bool = True
    start_at: str | None = None
    seed: str = "avtale"

    body_bytes_max: int = 1_048_576
    json_depth_max: int = 64
    exchanges_kept_max: int = 5_000
    exchange_body_bytes_max: int = 65_536
    deliveries_kept_max: int = 50_000

    token_life_seconds: int = 3_600
    confirmation_life_seconds: int = 600
    # Vipps shortened this to one day in October 2025; older descriptions say two.
    charge_lead_days: int = 1
    charge_horizon_years: int = 2
    charge_visible_days: int = 30
    refund_window_days: int = 365

    webhook_timeout_seconds: float = 10.0
    webhook_concurrency_max: int = 32
    webhook_registrations_max: int = 25
    participant_timeout_seconds: float = 30.0
    participant_wait_seconds_max: float = 2.0
