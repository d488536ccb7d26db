"""Faults on the dashboard: what befalls the next calls and webhooks, and dice."""

from __future__ import annotations

from typing import get_args

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...vipps.webhooks.registrations import KNOWN_EVENTS
from ..faults import Action, CallKind, Dice, EventKind, Fault, Match
from .desk import PATH, Form, Room

CALLS = {
    "status": "is refused with a status",
    "delay": "is answered late",
    "hang": "is neither done nor answered",
    "effect-then-hang": "is done, but not answered",
    "effect-then-close": "is done, then the line is cut",
    "effect-then-status": "is done, but a status says otherwise",
}
EVENTS = {
    "drop": "is lost",
    "duplicate": "comes twice",
    "delay": "comes late",
    "reorder": "is overtaken by the next",
}


class FaultRoom(Room):
    """Scripts and dice."""

    title = "Faults"
    path = "faults"

    def routes(self) -> list[Route]:
        """The list and its forms."""
        return [
            Route("/faults", self.listed, methods=["GET"]),
            Route("/faults", self.form(self.add), methods=["POST"]),
            Route("/faults/forget", self.form(self.forget), methods=["POST"]),
            Route("/faults/random", self.form(self.roll), methods=["POST"]),
        ]

    async def listed(self, request: Request) -> Response:
        """Every script and the dice."""
        values = {
            "faults": [(fault, _said(fault)) for fault in self.world.faults.all()],
            "dice": self.world.faults.dice,
            "operations": self.world.operations,
            "events": sorted(KNOWN_EVENTS),
            "calls": CALLS,
            "event_kinds": EVENTS,
        }
        return self.page(request, "faults.html", values)

    async def add(self, request: Request, form: Form) -> Response:
        """Write a script, for calls or for webhooks."""
        kind, of_events = form.get("kind", ""), "webhook" in form
        match = (
            Match(webhook=form["webhook"] or "*")
            if of_events
            else Match(
                operation_id=form.get("operation") or None, agreement_id=form.get("agreement", "").strip() or None
            )
        )
        status = _number(form, "status", 503) if kind in ("status", "effect-then-status") else None
        action = Action(kind=kind, status=status, seconds=float(_number(form, "seconds", 5)))
        self.world.faults.add(Fault(id="", match=match, action=action, times=_number(form, "times", 1)))
        return self.desk.to(f"{PATH}/faults", "Written.")

    async def forget(self, request: Request, form: Form) -> Response:
        """Forget a script, or all."""
        self.world.faults.delete(form.get("id") or None)
        return self.desk.to(f"{PATH}/faults", "Forgotten.")

    async def roll(self, request: Request, form: Form) -> Response:
        """Throw dice from now on, or no more."""
        if form.get("dice") == "off":
            self.world.faults.roll(None)
            return self.desk.to(f"{PATH}/faults", "The dice are put away.")
        calls = {kind: _percent(form, f"call-{kind}") for kind in get_args(CallKind)}
        events = {kind: _percent(form, f"event-{kind}") for kind in get_args(EventKind)}
        self.world.faults.roll(
            Dice(
                seed=form.get("seed", "").strip() or "1",
                calls={kind: rate for kind, rate in calls.items() if rate},
                webhooks={kind: rate for kind, rate in events.items() if rate},
            )
        )
        return self.desk.to(f"{PATH}/faults", "The dice are thrown.")


def _said(fault: Fault) -> str:
    """A script in words."""
    match, action = fault.match, fault.action
    if match.webhook is not None:
        what = "Any webhook" if match.webhook == "*" else match.webhook
        return f"{what} {EVENTS.get(action.kind, action.kind)}"
    what = match.operation_id or (f"{match.method or 'Any call'} {match.path or ''}".strip())
    whose = f" for {match.agreement_id}" if match.agreement_id else ""
    status = f": {action.status}" if action.status else ""
    return f"{what}{whose} {CALLS.get(action.kind, action.kind)}{status}"


def _number(form: Form, name: str, otherwise: int) -> int:
    text = form.get(name, "").strip()
    if not text:
        return otherwise
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise ValueError(f"{name.capitalize()} must be a whole number.")
    return int(text)


def _percent(form: Form, name: str) -> float:
    text = form.get(name, "").strip().replace(",", ".").rstrip("%")
    try:
        return float(text) / 100 if text else 0.0
    except ValueError:
        raise ValueError("A rate must be a number of per cent.") from None
