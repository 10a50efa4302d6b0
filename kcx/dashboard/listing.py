"""The dashboard's table: found by words and state, the worst first, in pages."""

from collections import Counter
from dataclasses import dataclass

from django.core.paginator import Page, Paginator

from kcx.dashboard.connections import Line, State

PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class Choice:
    """What the reader asked for: words of a name or a client, a state's slug, a page. '' is any."""

    words: str = ""
    state: str = ""
    page: str = "1"


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of the lines asked for, and of how many connections each state is true."""

    choice: Choice
    page: Page[Line]
    counts: list[tuple[State, int]]
    total: int


def listing(lines: list[Line], choice: Choice) -> Listing:
    """A page that does not exist is the nearest that does; a state is any that is true of a connection."""
    words = choice.words.casefold().split()
    asked = [
        line
        for line in lines
        if all(word in f"{line.name} {line.client}".casefold() for word in words)
        and (not choice.state or choice.state in {state.slug for state in _states(line)})
    ]
    counted = Counter(state for line in lines for state in _states(line))
    counts = [(state, counted[state]) for state in State if counted[state]]
    return Listing(choice, Paginator(asked, PER_PAGE).get_page(choice.page), counts, len(lines))


def _states(line: Line) -> set[State]:
    return set(line.states()) or {State.FRESH}
