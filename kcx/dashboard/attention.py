"""What needs somebody: each entry with its cause, one next action and one link."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ingestion.figures import count_text
from ingestion.models import SourceFile
from kcx.dashboard import links
from kcx.dashboard.connections import Line, State
from kcx.dashboard.files import Failed
from kcx.dashboard.reloads import FailedReloads
from kcx.dashboard.webhooks import GivenUp

SHOWN_OF_A_KIND = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to look at, in plain text; `action` is the next thing to do and leads to `link`.

    `since` is the time that `cause` ends with, where it has one.
    """

    tone: str
    kind: str
    about: str
    cause: str
    action: str
    link: str
    since: datetime | None = None


def attention(
    lines: list[Line],
    *,
    worker_works: bool,
    reloads: Sequence[FailedReloads] = (),
    webhooks: Sequence[GivenUp] = (),
) -> list[Entry]:
    """The worst first. Failed files and reloads by cause; of other kinds three at most, then how many."""
    idle = not worker_works and any(line.enabled for line in lines)
    found = [_no_worker()] if idle else []
    for state, entry_of in ENTRIES.items():
        if state is State.OVERDUE and idle:
            continue  # the missing worker is why
        found += _at_most(state, [line for line in lines if state in _told(line)], entry_of)
        if state is State.CHECK_FAILED:
            found += _failed_files(lines)
    return found + [_failed_reloads(one) for one in reloads] + [_given_up(webhook) for webhook in webhooks]


def _told(line: Line) -> set[State]:
    states = set(line.states())
    # What fails because access is lost needs nobody else; a decision can be taken without it.
    return states & {State.DIFFERENT, State.LOST, State.AWAITING} if State.LOST in states else states


def _at_most(state: State, lines: list[Line], entry_of: Callable[[Line], Entry]) -> list[Entry]:
    shown = [entry_of(line) for line in lines[:SHOWN_OF_A_KIND]]
    if more := len(lines) - len(shown):
        about, link = f"{count_text(more)} more connections", links.dashboard(state=state.slug)
        shown.append(Entry(state.tone, state.words, about, "", "Show them", link))
    return shown


def _no_worker() -> Entry:
    cause = "Nothing is listed or loaded until one does."
    return Entry("bad", "No worker takes tasks", "", cause, "Look at the workers", links.workers())


def _different(line: Line) -> Entry:
    noun = "verification" if line.different == 1 else "verifications"
    told = f"{count_text(line.different)} {noun} found that what is stored is not what it should be."
    link = links.verifications(outcome__exact="DIFFERENT", connection__id__exact=line.id)
    remedy = "Find out why, mend it, and verify again: it is told until then."
    return Entry("bad", State.DIFFERENT.words, line.name, _sentences(told, remedy), "See what differs", link)


def _lost(line: Line) -> Entry:
    trouble = line.check_failed or line.discovery_failed
    told = (trouble.cause, trouble.next_action) if trouble else ("", "")
    return Entry("bad", State.LOST.words, line.name, _sentences(*told), "Mend access", _page(line))


def _check_failed(line: Line) -> Entry:
    trouble = line.check_failed
    told = _sentences(trouble.cause, trouble.next_action) if trouble else ""
    return Entry("bad", State.CHECK_FAILED.words, line.name, told, "Verify access", _page(line))


def _discovery_failed(line: Line) -> Entry:
    trouble = line.discovery_failed
    told = _sentences(trouble.cause, trouble.next_action) if trouble else ""
    return Entry("bad", State.DISCOVERY_FAILED.words, line.name, told, "Open the connection", _page(line))


def _incomplete(line: Line) -> Entry:
    found = line.incomplete
    noun = "delivery" if found and found.deliveries == 1 else "deliveries, the newest"
    told = f"{count_text(found.deliveries)} {noun}: {found.reason}" if found else ""
    link = links.deliveries(status__exact="INCOMPLETE", scope__export__connection__id__exact=line.id)
    return Entry("warn", State.INCOMPLETE.words, line.name, told, "See what is missing", link)


def _archived(line: Line) -> Entry:
    noun = "file is" if line.archived == 1 else "files are"
    told = f"{count_text(line.archived)} {noun} in an archive storage class and cannot be read."
    remedy = "Ask the client to restore what is needed: it then loads by itself. Skip what is not."
    link = links.files(
        status__exact=SourceFile.Status.SKIPPED,
        skip_reason__exact=SourceFile.SkipReason.ARCHIVED,
        connection__id__exact=line.id,
    )
    return Entry("warn", State.ARCHIVED.words, line.name, _sentences(told, remedy), "See the files", link)


def _overdue(line: Line) -> Entry:
    told = "Its bucket was not looked at as often as it should be; last at"
    action = "Look at the workers"
    return Entry(
        "warn", State.OVERDUE.words, line.name, told, action, links.workers(), line.last_discovered_at
    )


def _late(line: Line) -> Entry:
    told = "Nothing came, though its own cadence had the next delivery expected at"
    action = "Ask for a discovery"
    return Entry("warn", State.LATE.words, line.name, told, action, _page(line), line.late_since)


def _awaiting(line: Line) -> Entry:
    noun = "export awaits" if line.awaiting == 1 else "exports await"
    told = f"{count_text(line.awaiting)} {noun} a decision: nothing new is loaded; what is current stays."
    link = links.exports(decision__exact="AWAITING", connection__id__exact=line.id)
    return Entry("warn", State.AWAITING.words, line.name, told, "Decide: load or not", link)


def _failed_files(lines: list[Line]) -> list[Entry]:
    """By error code, over all connections; what KCX tries again by itself needs nobody yet."""
    by_code: dict[str, list[tuple[Line, Failed]]] = defaultdict(list)
    for line in lines:
        for failed in line.failed if line.enabled else []:
            if not failed.retrying:
                by_code[failed.code].append((line, failed))
    entries = [_failed_entry(code, found) for code, found in by_code.items()]
    return sorted(entries, key=lambda entry: entry.about)


def _failed_entry(code: str, found: list[tuple[Line, Failed]]) -> Entry:
    files, (line, newest) = sum(failed.files for _, failed in found), found[0]
    noun = "file" if files == 1 else "files"
    where = line.name if len(found) == 1 else f"{len(found)} connections"
    one = {"connection__id__exact": line.id} if len(found) == 1 else {}
    link = links.files(status__exact=SourceFile.Status.FAILED, error_code=code, **one)
    cause = f"{code}: {_sentences(newest.cause, newest.next_action)}"
    return Entry("bad", f"{count_text(files)} failed {noun}", where, cause, "See the files", link)


def _failed_reloads(failed: FailedReloads) -> Entry:
    noun, names = "reload" if failed.files == 1 else "reloads", list(failed.connections.values())
    where = names[0] if len(names) == 1 else f"{len(names)} connections"
    one = {"source_file__connection__id__exact": min(failed.connections)} if len(names) == 1 else {}
    told = "In the last week, and not tried again; the rows loaded before stay."
    cause = _sentences(told, f"{failed.code}: {failed.cause}", failed.next_action)
    link = links.attempts(reload="failed", error_code=failed.code, **one)
    return Entry("warn", f"{count_text(failed.files)} failed {noun}", where, cause, "See the attempts", link)


def _given_up(webhook: GivenUp) -> Entry:
    noun = "event was" if webhook.events == 1 else "events were"
    cause = _sentences(f"{count_text(webhook.events)} {noun} given up in the last week.", webhook.reason)
    link = links.webhook_messages(status__exact="GIVEN_UP", endpoint__id__exact=webhook.endpoint_id)
    return Entry("warn", "Webhook not delivered", webhook.name, cause, "See the messages, redeliver", link)


def _sentences(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _page(line: Line) -> str:
    return links.connection_page(line.id)


ENTRIES: dict[State, Callable[[Line], Entry]] = {
    State.DIFFERENT: _different,
    State.LOST: _lost,
    State.CHECK_FAILED: _check_failed,
    State.DISCOVERY_FAILED: _discovery_failed,
    State.INCOMPLETE: _incomplete,
    State.ARCHIVED: _archived,
    State.OVERDUE: _overdue,
    State.LATE: _late,
    State.AWAITING: _awaiting,
}
