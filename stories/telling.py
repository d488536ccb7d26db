"""Tells a story in a terminal: a time line of business dates, a table for each person, and the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from stories.almanac import parse_instant
from stories.chronicle import Event, Mark, money, span
from stories.processes import ProcessFailed

Json = dict[str, Any]

SIGNS = {
    Mark.ACT: ("›", "bold"),
    Mark.CREATED: ("·", "dim"),
    Mark.DECLINED: ("✗", "red"),
    Mark.PAID: ("✓", "green"),
    Mark.REFUNDED: ("↩", "yellow"),
    Mark.CANCELLED: ("–", "yellow"),
    Mark.STATE: ("●", "cyan"),
}
PAPERS = {Mark.PAID: "receipt", Mark.REFUNDED: "credit note"}
STATES = {"active": "green", "paid": "green", "partially_refunded": "yellow", "failed": "red", "open": "cyan"}
#: The columns of a person's table: name, least width, whether it holds sums.
COLUMNS = (
    ("period", 15, False),
    ("due", 10, False),
    ("tries", 5, False),
    ("state", 13, False),
    ("captured", 9, True),
    ("refunded", 9, True),
    ("receipt", 7, False),
    ("credit note", 11, False),
)
#: Wide enough for the time line, and narrow enough to be read; where the output is no terminal, this is used.
WIDTH = 110


def terminal() -> Console:
    """The console of the story: as wide as the terminal, or `WIDTH` when there is none."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH)


class Teller:
    """Writes to one console, in the local time of one zone; a day is headed once."""

    def __init__(self, console: Console, zone: ZoneInfo) -> None:
        self._console = console
        self._zone = zone
        self._day = ""

    def title(self, title: str, lines: Sequence[str]) -> None:
        self._console.print(Rule(Text(title, style="bold"), align="left"))
        for line in lines:
            self._console.print(Padding(Text(line, style="dim"), (0, 0, 0, 1)))

    def say(self, text: str) -> None:
        """A line of the teller's own."""
        self._console.print(Padding(Text(text, style="dim italic"), (0, 0, 0, 1)))

    def events(self, events: Iterable[Event]) -> None:
        """Events in order; what happens to several people at one moment is one line."""
        for (at, mark, text), same in groupby(events, key=lambda e: (e.at, e.mark, e.text)):
            self._event(at, mark, text, list(same))

    def _event(self, at: datetime, mark: Mark, text: str, same: Sequence[Event]) -> None:
        local = at.astimezone(self._zone)
        if (day := f"{local:%a} {local.day} {local:%B %Y}") != self._day:
            self._day = day
            self._console.print()
            self._console.print(Text(f" {day}", style="bold underline"))
        sign, style = SIGNS[mark]
        row = Table.grid(padding=(0, 1), expand=False)
        row.add_column(width=6, justify="right", style="dim")
        row.add_column(width=1, style=style)
        row.add_column(width=38, style="bold")
        row.add_column(overflow="fold")
        papers = sorted((e.document for e in same if e.document), key=int)
        line = Text(text, style=style if mark is not Mark.ACT else "")
        if papers:
            name = PAPERS[mark]
            line.append(f"  {name if len(papers) == 1 else name + 's'} {', '.join(papers)}", style="dim")
        row.add_row(f"{local:%H:%M}", sign, ", ".join(e.who for e in same), line)
        self._console.print(row)

    def person(self, told: Json, note: str) -> None:
        """A person's part of the report as a table; `note` says what the person was there to show."""
        met = not told["unmet"]
        body: list[Any] = []
        if told["charges"]:
            body.append(self._charges(told))
        body.append(self._last_line(told))
        body.extend(Text(f" Expected {text}", style="bold red") for text in told["unmet"])
        title = Text.assemble((told["name"], "bold"), f": {note} ", ("✓" if met else "✗", "green" if met else "red"))
        self._console.print(
            Panel(
                Group(*body),
                title=title,
                title_align="left",
                border_style="dim" if met else "red",
                width=WIDTH,
            )
        )

    def _charges(self, told: Json) -> Table:
        table = Table(box=SIMPLE_HEAD, padding=(0, 1), header_style="dim", show_edge=False)
        for name, width, number in COLUMNS:
            table.add_column(name, justify="right" if number else "left", min_width=width)
        for charge in told["charges"]:
            papers = [r for r in told["receipts"] if r["chargeId"] == charge["chargeId"]]
            table.add_row(
                span(charge),
                charge["dueDate"],
                Text.assemble(*(("✓", "green") if t["ok"] else ("✗", "red") for t in charge["tries"])),
                _state(charge["status"]),
                money(charge["captured"], charge["currency"]) if charge["captured"] else "",
                money(charge["refunded"], charge["currency"]) if charge["refunded"] else "",
                ", ".join(str(r["number"]) for r in papers if r["kind"] == "receipt"),
                ", ".join(str(r["number"]) for r in papers if r["kind"] == "credit_note"),
            )
        return table

    def _last_line(self, told: Json) -> Text:
        until = told["access"]["until"]
        states = " → ".join(s["status"] for s in (told["agreement"] or told["purchase"])["states"])
        access = "no access"
        if until:
            local = parse_instant(until).astimezone(self._zone)
            access = f"access until {local:%a} {local.day} {local:%B %Y %H:%M}"
        return Text.assemble((f" {states}", "cyan"), ("  ·  ", "dim"), access)

    def verdict(self, report: Json) -> None:
        """The plain result of a report."""
        differences = report["audit"] if report["audit"] != "ok" else []
        for difference in differences:
            place = f"{difference['agreement'] or ''} {difference['period'] or ''}".strip()
            self._console.print(Text(f" {difference['code']}  {place}", style="bold red"))
            self._console.print(Text(f"   {difference['sentence']}"))
        sums = report["totals"]
        taken, back = (money(sums[k], report["currency"]) for k in ("captured", "refunded"))
        self._console.print(
            Text(f" Both sides: {taken} captured, {back} given back, {sums['charges']} charges.", style="bold")
            if not differences
            else Text(f" The two sides differ in {len(differences)} place(s).", style="bold red")
        )
        if not differences:
            self._console.print(Text(" The two-sided audit agrees to the øre.", style="bold green"))

    def failure(self, error: ProcessFailed) -> None:
        """What a process said last, and what to do about it."""
        self._console.print(Text(f" {error}", style="bold red"))
        if error.tail:
            self._console.print(Panel(Text(error.tail), title=f"the end of {error.name}'s log", border_style="red"))


def _state(status: str) -> Text:
    return Text(status.replace("_", " ").replace("partially", "part"), style=STATES.get(status, ""))
