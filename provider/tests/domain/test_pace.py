"""A budget of calls a minute is kept in whatever minute they are counted, and most of it is used."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from avtale.domain.pace import LATE_MAX, TRAVEL_MAX, WINDOW, Pace

NOW = datetime(2027, 1, 15, 9, tzinfo=UTC)


@example(budget=1, claims=[(0.0, 1), (0.0, 1)], late=[0.0])  # whose calls are further apart than a minute
@given(
    budget=st.integers(1, 700),
    claims=st.lists(st.tuples(st.floats(0, 20), st.integers(0, 300)), min_size=1, max_size=60),
    late=st.lists(st.floats(0, 1), min_size=1, max_size=20),
)
def test_no_minute_has_more_calls_than_the_budget(
    budget: int, claims: list[tuple[float, int]], late: list[float]
) -> None:
    pace, now, following, arrivals = Pace(budget), NOW, NOW, []
    for wait, wanted in claims:
        now += timedelta(seconds=wait)
        start, free = pace.free(following, None, now)
        given_away = min(wanted, free)
        arrivals += [start + pace.interval * n for n in range(given_away)]
        following = start + pace.interval * given_away if given_away else following
    arrivals = sorted(at + (LATE_MAX + TRAVEL_MAX) * 0.999 * late[n % len(late)] for n, at in enumerate(arrivals))
    assert all(after - before >= WINDOW for before, after in zip(arrivals, arrivals[budget:], strict=False))


def test_a_fleet_that_always_has_something_to_send_uses_most_of_its_budget() -> None:
    pace, following, count = Pace(500), NOW, 0
    for second in range(600):
        start, free = pace.free(following, None, NOW + timedelta(seconds=second))
        following, count = start + pace.interval * free, count + free
    assert 0.92 * 5000 < count <= 5000


def test_a_clock_that_jumped_back_an_hour_stops_nobody() -> None:
    assert Pace(60).free(NOW + timedelta(hours=1), None, NOW) == (NOW, 5)


def test_nothing_leaves_while_the_gateway_asks_us_to_wait() -> None:
    until = NOW + timedelta(seconds=30)
    assert Pace(60).free(NOW, until, NOW) == (until, 0)
    assert Pace(60).free(NOW, until, until)[1] > 0
