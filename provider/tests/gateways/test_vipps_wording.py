"""Texts fit where they are read, and stay readable."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avtale.gateways.vipps.wording import fitted, length, shortened

PERIOD = "2027-01-31 – 2027-02-27"


@pytest.mark.parametrize(
    ("text", "length_max", "expected"),
    [
        ("Nordlys", 7, "Nordlys"),
        ("Nordlys", 6, "Nordl…"),
        ("Nordlys Film", 9, "Nordlys…"),
        ("Blåbær", 4, "Blå…"),
        ("Bla\u030aba\u0308r", 4, "Bl…"),  # a letter and its ring are one: both go
        ("🎬🎬🎬", 6, "🎬🎬🎬"),
        ("🎬🎬🎬", 5, "🎬🎬…"),
        ("👩\u200d🚀 rom", 4, "…"),  # an astronaut is three characters and one picture
    ],
)
def test_a_text_is_cut_between_letters(text, length_max, expected):
    assert shortened(text, length_max) == expected


@given(st.text(), st.integers(1, 100))
def test_a_shortened_text_fits_and_is_a_beginning(text, length_max):
    short = shortened(text, length_max)
    assert length(short) <= length_max
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))


@given(st.text())
def test_a_length_is_never_less_than_the_characters(text):
    assert length(text) >= len(text)


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        (f"Film, {PERIOD}", f"Film, {PERIOD}"),
        ("x" * 20 + f", {PERIOD}", "x" * 20 + f", {PERIOD}"),
        ("x" * 21 + f", {PERIOD}", "x" * 19 + f"…, {PERIOD}"),
        (f"Aviser, bøker, lydbøker og film, {PERIOD}", f"Aviser, bøker, lydb…, {PERIOD}"),
        ("x" * 46, "x" * 44 + "…"),
        ("x, " + "y" * 60, "x, " + "y" * 41 + "…"),
    ],
)
def test_a_long_product_gives_way_to_its_period(description, expected):
    assert fitted(description) == expected


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1))
def test_every_description_fits_both_contracts(name):
    described = fitted(f"{name}, {PERIOD}")
    assert 1 <= length(described) <= 45
    assert described.endswith(f", {PERIOD}")
    assert not unicodedata.combining(described[0]) or described[0] == name[0]
