"""A CSV file as strangers write it, cut into pieces anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avtale.domain.errors import Invalid
from avtale.domain.records import RECORD_LINES_MAX, Record, Records, written

NAMES = 'id;name;note\r\n1;Bjørn;"a ""b""; c"\r\n2;Åse;"two\r\nlines"\n\n3;Kåre;\n'
READ = [
    Record(2, ("1", "Bjørn", 'a "b"; c')),
    Record(3, ("2", "Åse", "two\nlines")),
    Record(6, ("3", "Kåre", "")),
]


def read(data: bytes, size: int = 7) -> tuple[Records, list[Record]]:
    """The records of a file that comes in pieces."""
    records = Records()
    found = [record for at in range(0, len(data), size) for record in records.feed(data[at : at + size])]
    return records, [*found, *records.end()]


@given(st.integers(1, 90), st.sampled_from(["utf-8", "utf-8-sig", "windows-1252"]))
def test_encoding_and_separator_are_found_out_wherever_the_pieces_end(size: int, encoding: str) -> None:
    records, found = read(NAMES.encode(encoding), size)
    assert found == READ
    assert records.header == ("id", "name", "note")
    assert (records.encoding, records.separator) == (encoding.removesuffix("-sig"), ";")


@given(st.lists(st.tuples(*[st.text(st.characters(exclude_categories=("C", "Z")), max_size=9)] * 3), max_size=9))
def test_what_we_write_is_read_as_it_was_but_for_formulas(rows: list[tuple[str, str, str]]) -> None:
    data = "".join(map(written, [["id", "name", "note"], *[["x", *row[1:]] for row in rows]])).encode("utf-8-sig")
    said = [(record.values[1].removeprefix("'"), record.fault) for record in read(data)[1]]
    assert said == [(row[1].removeprefix("'"), None) for row in rows]


@pytest.mark.parametrize("formula", ["=1+1", "+4790000000", "-2", "@now", "\tx", "\rx"])
def test_a_formula_is_written_as_a_text(formula: str) -> None:
    assert written([formula]).lstrip('"').startswith(f"'{formula}")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"1,2", "columns_differ"),
        (b'1,"2"x,3', "quote_misplaced"),
        (b'1,"2,3', "quote_open"),
        (b"1,\xff\xe6,3", "text_unreadable"),
        (b"1,\0,3", "text_unreadable"),
        (b"1,2," + b"3" * 70_000, "line_long"),
    ],
)
def test_a_broken_line_costs_itself_alone(line: bytes, code: str) -> None:
    good = b"4,\xc3\xa6,6\n"
    _, found = read(b"a,b,c\n" + good + line + b"\n" + good * (RECORD_LINES_MAX + 5), 4096)
    assert [record.fault[0] for record in found if record.fault] == [code]
    assert [record.line for record in found if record.fault] == [3]
    assert [record.line for record in found if not record.fault] == [2, *range(4, RECORD_LINES_MAX + 9)]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "file_empty"),
        (b"\xff\xfei\0d\0", "encoding_unknown"),
        (b"id,ID\n1,2\n", "header_unreadable"),
        (b"id" * 600_000, "line_endless"),
    ],
)
def test_what_is_no_such_file_at_all(data: bytes, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(data, 4096)
    assert refused.value.code == code
