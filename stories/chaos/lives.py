"""What people will do in a run, drawn from its seed: when they join, whether they can pay, when they leave."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from random import Random

#: Cards at Stripe, and how often they are drawn: most go well, some only once, and some with a word from the bank.
_CARDS = {
    "visa": 12,
    "sandboxFailsOnRenewal": 4,
    "threeDSecure2Required": 4,
    "visa_chargeDeclined": 2,
    "createDispute": 2,
}


class Act(StrEnum):
    """What somebody does on a day."""

    JOIN = "joins"
    APPROVE_ALL = "approves every draft that is waiting on the phone"
    STOP_ON_PHONE = "stops on the phone"
    STOP_IN_SHOP = "stops in the shop"
    REFUND = "is given a part back"
    RENT = "rents a film"
    REFUND_RENTAL = "is given a film's price back, or a part of it"
    PAUSE = "pauses"
    RESUME = "goes on after a pause"
    CHARGE_DAY = "chooses another day of the month"
    PLAN = "changes to what costs more"
    PRICE = "is told of another price"
    CHARGE_ONCE = "is charged for something besides"
    WITHDRAW = "withdraws within fourteen days"


#: What some do in the middle of a subscription, how likely, and after how many days at the earliest and the latest.
_TURNS = (
    (Act.PAUSE, 0.10, 20, 200),
    (Act.CHARGE_DAY, 0.06, 10, 200),
    (Act.PLAN, 0.06, 10, 200),
    (Act.PRICE, 0.06, 10, 200),
    (Act.CHARGE_ONCE, 0.08, 2, 250),
    (Act.WITHDRAW, 0.04, 1, 13),
)


@dataclass(frozen=True)
class Life:
    """One person: a phone, a temperament, spans without money, and acts by the number of the day.

    With a `card` they pay with Stripe, and not with Vipps.
    """

    number: int
    temperament: str
    no_funds: tuple[tuple[date, date], ...]
    acts: tuple[tuple[int, Act], ...]
    card: str | None = None

    @property
    def phone_number(self) -> str:
        return f"47910{self.number:05d}"


@dataclass
class Diary:
    """Every act of every person, by day."""

    by_day: dict[int, list[tuple[Life, Act]]] = field(default_factory=lambda: defaultdict(list))

    def between(self, first: int, last: int) -> list[tuple[Life, Act]]:
        """The acts of the days `first` to `last`, both included."""
        return [entry for day in range(first, last + 1) for entry in self.by_day.get(day, [])]


def draw_lives(dice: Random, count: int, begins: date, days: int, *, turns: bool = False) -> tuple[list[Life], Diary]:
    """`count` people over `days` days; two thirds join in the first third of the time, some rent a film as well.

    With `turns`, some also change their subscriptions in the middle.
    """
    lives = []
    diary = Diary()
    for number in range(1, count + 1):
        joins = int(days * dice.random() ** 2 * 0.7)
        acts = [(joins, Act.JOIN)]
        if dice.random() < 0.15:
            acts.append((joins, Act.APPROVE_ALL))
        if dice.random() < 0.25:
            leaves = joins + dice.randrange(2, max(3, days - joins))
            acts.append((leaves, dice.choice((Act.STOP_ON_PHONE, Act.STOP_IN_SHOP))))
        if dice.random() < 0.3:
            acts.append((joins + dice.randrange(1, max(2, days - joins)), Act.REFUND))
        for _ in range(dice.choices((0, 1, 3), (55, 30, 15))[0]):
            rents = dice.randrange(days)
            acts.append((rents, Act.RENT))
            if dice.random() < 0.4:
                acts.append((min(rents + dice.randrange(3), days - 1), Act.REFUND_RENTAL))
        if turns:
            acts += _turns(dice, joins, days)
        life = Life(
            number=number,
            temperament=dice.choices(("approves", "rejects", "waits"), (90, 5, 5))[0],
            no_funds=_spans(dice, begins, joins, days),
            acts=tuple(acts),
            card=dice.choices((None, *_CARDS), (76, *_CARDS.values()))[0],
        )
        lives.append(life)
        for day, act in acts:
            diary.by_day[day].append((life, act))
    return lives, diary


def _turns(dice: Random, joins: int, days: int) -> list[tuple[int, Act]]:
    acts = []
    for act, chance, first, last in _TURNS:
        day = joins + dice.randrange(first, last + 1)
        if dice.random() < chance and day < days:
            acts.append((day, act))
            if act is Act.PAUSE:
                acts.append((min(day + dice.randrange(5, 45), days - 1), Act.RESUME))
    return acts


def _spans(dice: Random, begins: date, joins: int, days: int) -> tuple[tuple[date, date], ...]:
    """One person in four is out of money now and then: for some tries, or for all of a renewal's."""
    if dice.random() > 0.25:
        return ()
    first = begins + timedelta(days=joins + dice.randrange(20, max(21, days - joins)))
    return ((first, first + timedelta(days=dice.choice((1, 2, 4, 9)))),)
