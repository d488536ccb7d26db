"""What happened is told once, in order, and the report holds to its schema."""

from __future__ import annotations

import copy
import io
import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from jsonschema import Draft202012Validator, ValidationError
from rich.console import Console

from stories.audit import audit
from stories.chronicle import Chronicle, Mark, money
from stories.report import SCHEMA, agreement_report, story_report, write_report
from stories.telling import Teller
from stories.tests.pair import NOW, Json, Life, Pair, pair

NAMES = {"anna": "Anna", "bjørn": "Bjørn", "cecilie": "Cecilie", "david": "David", "frank": "Frank"}


@pytest.fixture
def made() -> Pair:
    found = pair(
        Life("anna"),
        Life("bjørn"),
        Life("cecilie", refunds={2: (3050,)}),
        Life("david", paid=2, end="stopped"),
        Life("frank", end="rejected"),
    )
    late = found.gateway_charge("bjørn", 2)
    late["tries"] = [
        {"at": "2027-02-28T08:00:00Z", "ok": False, "reason": "user_action_required"},
        {"at": "2027-02-28T16:00:00Z", "ok": True, "reason": None},
    ]
    late["history"] = [
        {"event": "CREATE", "amount": 9900, "occurred": "2027-02-24T23:00:00Z", "success": True},
        {"event": "CAPTURE", "amount": 9900, "occurred": "2027-02-28T16:00:00Z", "success": True},
    ]
    return found


def report_of(made: Pair, chronicle: Chronicle) -> Json:
    people = [
        {
            "name": name,
            "phoneNumber": "4790000001",
            "story": "pays",
            "unmet": [],
            **agreement_report(made.sandbox, made.provider, agreement_id, chronicle.states[agreement_id]),
        }
        for agreement_id, name in NAMES.items()
    ]
    differences = audit(made.sandbox, made.provider)
    return story_report(people, differences, began=NOW, ended=NOW, currency="NOK")


def test_each_event_is_told_once_and_in_the_order_of_business_time(made: Pair) -> None:
    chronicle = Chronicle(NAMES)
    news = chronicle.news(made.sandbox, made.provider)
    assert news == sorted(news, key=lambda e: e.at)
    assert [(e.mark, e.document) for e in news if e.who == "Cecilie"] == [
        (Mark.PAID, "9"),
        (Mark.STATE, None),
        (Mark.PAID, "10"),
        (Mark.REFUNDED, "1"),
        (Mark.PAID, "11"),
        (Mark.PAID, "12"),
    ]
    texts = [e.text for e in news if e.who == "Bjørn" and "28 Feb – 30 Mar" in e.text]
    assert texts == [
        "Vipps gets no money for 28 Feb – 30 Mar, try 1",
        "paid NOK 99.00 for 28 Feb – 30 Mar",
    ]
    assert chronicle.news(made.sandbox, made.provider) == []


def test_a_person_nobody_named_is_not_told_of(made: Pair) -> None:
    assert {e.who for e in Chronicle({"anna": "Anna"}).news(made.sandbox, made.provider)} == {"Anna"}


def test_what_happens_to_several_at_one_moment_is_one_line_under_one_date(made: Pair) -> None:
    console = Console(width=110, record=True, file=io.StringIO())
    teller = Teller(console, ZoneInfo("Europe/Oslo"))
    teller.events(Chronicle(NAMES).news(made.sandbox, made.provider))
    lines = [" ".join(line.split()) for line in console.export_text().splitlines()]
    assert lines.count("Sun 31 January 2027") == 1
    assert "10:00 ✓ Anna, Cecilie, David paid NOK 99.00 for 28 Feb – 30 Mar receipts 2, 10, 14" in lines
    assert "17:00 ✓ Bjørn paid NOK 99.00 for 28 Feb – 30 Mar receipt 6" in lines
    assert "10:00 ↩ Cecilie given back NOK 30.50 of 28 Feb – 30 Mar credit note 1" in lines


def test_the_table_of_a_person_shows_tries_papers_and_access_and_what_was_not_met(made: Pair) -> None:
    console = Console(width=110, record=True, file=io.StringIO())
    chronicle = Chronicle(NAMES)
    chronicle.news(made.sandbox, made.provider)
    report = report_of(made, chronicle)
    teller = Teller(console, ZoneInfo("Europe/Oslo"))
    report["people"][1]["unmet"] = ["receipts 9, but it is 4"]
    for told in report["people"]:
        teller.person(told, "a note")
    teller.verdict(report)
    text = " ".join(console.export_text().split())
    assert "28 Feb – 30 Mar 2027-02-28 ✗✓ paid NOK 99.00 6" in text
    assert "part refunded NOK 99.00 NOK 30.50 10 1" in text
    assert "active · access until Sun 6 June 2027 00:00" in text
    assert "rejected · no access" in text
    assert "Expected receipts 9, but it is 4" in text
    assert "NOK 1386.00 captured, NOK 30.50 given back, 14 charges" in text
    assert "agrees to the øre" in text


def test_the_report_holds_to_its_schema_with_and_without_differences(made: Pair, tmp_path: Path) -> None:
    chronicle = Chronicle(NAMES)
    chronicle.news(made.sandbox, made.provider)
    path = tmp_path / "story.json"
    write_report(report_of(made, chronicle), path)
    assert json.loads(path.read_text(encoding="utf-8"))["audit"] == "ok"

    made.provider["ledger"].pop()
    spoilt = report_of(made, chronicle)
    write_report(spoilt, path)
    assert json.loads(path.read_text(encoding="utf-8"))["audit"] == spoilt["audit"] != "ok"


def test_a_report_of_another_shape_is_not_written(made: Pair, tmp_path: Path) -> None:
    chronicle = Chronicle(NAMES)
    chronicle.news(made.sandbox, made.provider)
    good = report_of(made, chronicle)
    for spoilt in (
        good | {"version": 1},
        good | {"audit": []},
        good | {"more": 1},
        good | {"people": [copy.deepcopy(good["people"][0]) | {"access": {"until": "2027-06-06"}}]},
    ):
        with pytest.raises(ValidationError):
            write_report(spoilt, tmp_path / "story.json")
    assert not (tmp_path / "story.json").exists()


def test_the_schema_is_one_and_closed_everywhere() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)

    def objects(node: object) -> list[Json]:
        if isinstance(node, dict):
            inner = [o for value in node.values() for o in objects(value)]
            return [node, *inner] if node.get("type") == "object" else inner
        return [o for item in node for o in objects(item)] if isinstance(node, list) else []

    assert len(objects(schema)) > 5
    for found in objects(schema):
        assert found["additionalProperties"] is False
        assert set(found["required"]) == set(found["properties"])


def test_money_is_written_without_floats() -> None:
    assert [money(n, "NOK") for n in (0, 5, 9900, 10**18 + 1)] == [
        "NOK 0.00",
        "NOK 0.05",
        "NOK 99.00",
        "NOK 10000000000000000.01",
    ]
