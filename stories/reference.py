"""Makes the parts of docs/reference that say what the code says: `make docs` writes them, a test compares them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, get_type_hints
from uuid import UUID

import msgspec

from avtale.domain.agreement import AGREEMENT_STEPS, AgreementStatus, AgreementVerb
from avtale.domain.charge import OPEN_ATTEMPTS, Attempt, AttemptStatus, Charge, ChargeKind, ChargeStatus, Totals
from avtale.domain.money import Money
from avtale.domain.purchase import PURCHASE_STEPS, PurchaseStatus, PurchaseVerb
from avtale.domain.settlement import GatewayChargeState, ObservedCharge, apply
from avtale.settings import Settings
from avtale_sandbox.settings import Settings as SandboxSettings
from avtale_sandbox.vipps.recurring import states as vipps
from stories.refusals import Where, refusals

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"

_MADE = re.compile(r"<!-- made: ([a-z-]+) -->\n.*?<!-- end -->", re.DOTALL)
_PRICE = 9900


def made(text: str) -> str:
    """A document with its made parts made anew. KeyError for a part that nobody makes."""
    return _MADE.sub(lambda found: f"<!-- made: {found[1]} -->\n{PARTS[found[1]]()}\n<!-- end -->", text)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(cells)} |"

    head = list(head)
    return "\n".join([line(head), line(["---"] * len(head)), *map(line, rows)])


def provider_settings() -> str:
    """Every setting of the provider: its variable, what it is when it is not set, what it means."""
    return _table(
        ("Variable", "Default", "What it is"),
        (
            (f"`AVTALE_{name.upper()}`", _shown(field.default), field.description or "")
            for name, field in Settings.model_fields.items()
        ),
    )


def sandbox_settings() -> str:
    """Every setting of the sandbox: its name, its default, what it means."""
    defaults = SandboxSettings()
    meanings = {
        name: next((m.description for m in getattr(hint, "__metadata__", ()) if isinstance(m, msgspec.Meta)), None)
        for name, hint in get_type_hints(SandboxSettings, include_extras=True).items()
    }
    return _table(
        ("Setting", "Default", "What it is"),
        (
            (f"`{name}`", _shown(getattr(defaults, name)), meanings[name] or "")
            for name in SandboxSettings.__struct_fields__
        ),
    )


def _shown(value: object) -> str:
    if value is None:
        return "–"
    return f"`{value.value if isinstance(value, StrEnum) else value}`"


def provider_agreement() -> str:
    """The provider's steps of an agreement: what each verb makes of each state."""
    return _table(
        ("State", *(verb.value.replace("_", " ") for verb in AgreementVerb)),
        (
            (f"`{state.value}`", *(_step(AGREEMENT_STEPS[state, verb]) for verb in AgreementVerb))
            for state in AgreementStatus
        ),
    )


def provider_agreement_picture() -> str:
    """The same as a picture, without the steps that stay where they are."""
    return _picture(
        {(state.value, verb.value): after.value for (state, verb), after in AGREEMENT_STEPS.items() if after}, "pending"
    )


def provider_purchase() -> str:
    """The provider's steps of a purchase: what each verb makes of each state."""
    return _table(
        ("State", *(verb.value for verb in PurchaseVerb)),
        (
            (f"`{state.value}`", *(_step(PURCHASE_STEPS[state, verb]) for verb in PurchaseVerb))
            for state in PurchaseStatus
        ),
    )


def provider_purchase_picture() -> str:
    """The same as a picture, without the steps that stay where they are."""
    return _picture(
        {(state.value, verb.value): after.value for (state, verb), after in PURCHASE_STEPS.items() if after}, "pending"
    )


def provider_attempt() -> str:
    """What a reading makes of an attempt and of its charge, asked of `apply` itself."""
    return _table(
        ("Attempt", *(f"gateway says {said.value}" for said in GatewayChargeState)),
        ((f"`{before.value}`", *(_read(before, said) for said in GatewayChargeState)) for before in AttemptStatus),
    )


def vipps_agreement() -> str:
    """The sandbox's steps of an agreement."""
    return _picture(vipps.AGREEMENT_STEPS, "PENDING")


def vipps_charge() -> str:
    """The sandbox's steps of a charge."""
    return _picture(vipps.CHARGE_STEPS, "PENDING")


def _step(after: StrEnum | None) -> str:
    return "–" if after is None else f"`{after.value}`"


def _picture(steps: Mapping[tuple[Any, Any], str], first: str) -> str:
    lines = [f"    {before} --> {after}: {verb}" for (before, verb), after in steps.items() if before != after]
    return "\n".join(["```mermaid", "stateDiagram-v2", f"    [*] --> {first}", *lines, "```"])


def _read(before: AttemptStatus, said: GatewayChargeState) -> str:
    had = Totals(captured=_PRICE) if before is AttemptStatus.CAPTURED else Totals()
    charge, attempt = _charge(before, had), Attempt(UUID(int=2), UUID(int=1), before, had, "agr_1")
    totals = Totals(captured=_PRICE) if said is GatewayChargeState.CAPTURED else Totals()
    after = apply(charge, attempt, ObservedCharge(str(attempt.id), said, totals))
    return f"`{after.attempt_status.value}`, charge `{after.charge_status.value}`"


def _charge(attempt: AttemptStatus, totals: Totals) -> Charge:
    status = {
        AttemptStatus.CAPTURED: ChargeStatus.PAID,
        AttemptStatus.FAILED: ChargeStatus.FAILED,
        AttemptStatus.CANCELLED: ChargeStatus.CANCELLED,
    }.get(attempt, ChargeStatus.OPEN)
    return Charge(
        id=UUID(int=1),
        agreement_id=UUID(int=0),
        purchase_id=None,
        kind=ChargeKind.RECURRING,
        period=2,
        period_start=date(2027, 2, 28),
        period_end=date(2027, 3, 31),
        due=date(2027, 2, 28),
        price=Money(_PRICE, "NOK"),
        vat_basis_points=2500,
        status=status,
        totals=totals,
        failure_reason=None,
        version=1,
    )


def open_attempts() -> str:
    """The states in which an attempt may still move money."""
    return ", ".join(f"`{status.value}`" for status in AttemptStatus if status in OPEN_ATTEMPTS) + "."


def refused_requests() -> str:
    """Every code of a problem that the API answers with."""
    return _table(
        ("Status", "Code", "What it says"),
        ((str(one.status), f"`{one.code}`", _cell(one.sentence)) for one in refusals(Where.REQUEST)),
    )


def refused_files(where: Where) -> str:
    """Every code with which a file, or a row of it, is refused."""
    return _table(("Code", "What it says"), ((f"`{one.code}`", _cell(one.sentence)) for one in refusals(where)))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


PARTS: dict[str, Callable[[], str]] = {
    "refused-requests": refused_requests,
    "refused-tenants-files": partial(refused_files, Where.TENANTS_FILE),
    "refused-migrations": partial(refused_files, Where.MIGRATION),
    "provider-settings": provider_settings,
    "sandbox-settings": sandbox_settings,
    "provider-agreement": provider_agreement,
    "provider-agreement-picture": provider_agreement_picture,
    "provider-purchase": provider_purchase,
    "provider-purchase-picture": provider_purchase_picture,
    "provider-attempt": provider_attempt,
    "open-attempts": open_attempts,
    "vipps-agreement": vipps_agreement,
    "vipps-charge": vipps_charge,
}


def main() -> None:
    """Write what has changed."""
    for path in sorted(REFERENCE.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        if (now := made(text)) != text:
            path.write_text(now, encoding="utf-8")
            print(f"{path.relative_to(REFERENCE.parents[1])} is made anew")


if __name__ == "__main__":
    main()
