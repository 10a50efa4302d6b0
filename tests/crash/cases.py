"""What is broken, where and when: every fault at every place, in an order a seed makes."""

import random
from dataclasses import dataclass
from enum import StrEnum

from tests.crash.victim import POINTS, Point

AT_ANY_MOMENT = "any moment"
# How often a place is passed by a run over one file; others are passed once a file.
PASSES = {"inside read": 8, "inside parse": 3, "inside COPY": 3, "page listed": 1}
PASSES |= dict.fromkeys(("inside commit", "commit returned"), 9)
ONCE = {"inside publish", "the one before superseded", "receipt of the delivery written", "published"}
PASSES |= dict.fromkeys(ONCE, 1)


class Fault(StrEnum):
    """What is done to the worker."""

    KILL = "worker killed (SIGKILL)"
    BACKEND = "its PostgreSQL sessions terminated"
    POSTGRES = "PostgreSQL restarted"
    S3 = "an answer of S3 cut"
    NO_S3 = "all answers of S3 cut for a while"


ON_THE_WIRE = {Fault.S3, Fault.NO_S3}


@dataclass(frozen=True)
class Case:
    """One crash: `moment` in seconds after the start where there is no `point`.

    `cut_at`: which part of an answer comes through where the wire is cut. `reload`: what is loaded already
    is being replaced.
    """

    fault: Fault
    kind: str
    parts: int
    rival: bool
    point: tuple[Point, int] | None
    moment: float
    cut_at: float
    reload: bool

    @property
    def where(self) -> str:
        return self.point[0].name if self.point else AT_ANY_MOMENT


def cases(seed: int) -> list[Case]:
    """Every fault at every place, and at any moment; but S3 stays away at few places: that takes long."""
    chance = random.Random(seed)
    places: list[Point | None] = [*POINTS, *[None] * (len(POINTS) // 3)]
    brief = [_case(chance, fault, place) for fault in Fault if fault is not Fault.NO_S3 for place in places]
    long = [_case(chance, Fault.NO_S3, place) for place in chance.sample(places, len(places) // 4)]
    made = [*brief, *long]
    chance.shuffle(made)
    return made


def _case(chance: random.Random, fault: Fault, point: Point | None) -> Case:
    parts = 1 if fault is Fault.NO_S3 else chance.choice([1, 3])
    stop = (point, chance.randint(1, PASSES.get(point.name, parts))) if point else None
    if point and point in POINTS[:5]:
        stop = (point, 1)
    kind = chance.choice(["csv.gz", "parquet"])
    cut_at = chance.choice([0.0, chance.random()])
    # A reload publishes nothing.
    reload = chance.random() < 0.25 and (point is None or point.name not in ONCE)
    return Case(fault, kind, parts, chance.random() < 0.4, stop, chance.uniform(0, 2), cut_at, reload)
