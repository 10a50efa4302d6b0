"""The transparency page: all that KCX did in one client's account, to be read or printed for the client."""

import csv
import json
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import chain
from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from ingestion.admin.connection_home import connection_seen
from ingestion.models import AwsUse, ClientConnection, StaffAction
from ingestion.pipeline.assume_role import as_entered
from ingestion.policies import permission_policy
from ingestion.transparency import Period, days, months, operations, staff_actions, untold, uses

RUNS_A_PAGE = 200
ACTIONS_TOLD = 500
COLUMNS = (
    *("started_at", "ended_at", "what", "session", "asked_by", "subject", "calls", "bytes_received"),
    *("session_arn", "request_ids"),
)
STAFF_COLUMNS = ("at", "who", "action", "subject", "reason", "detail")
# A spreadsheet would take what begins so for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@require_GET
def transparency_page(request: HttpRequest, model_admin: Any, pk: int) -> HttpResponseBase:
    """`from` and `to`: days as 2026-03-01, in UTC; by default the month so far. `format=csv`: every run."""
    connection = connection_seen(model_admin, request, pk)
    period = _period(request)
    found = uses(connection.pk, period)
    actions = staff_actions(connection, period)
    if request.GET.get("format") == "csv":
        return _as_csv(f"connection-{connection.pk}", period, COLUMNS, _cells_of_uses(found))
    if request.GET.get("format") == "staff-csv":
        return _as_csv(f"staff-{connection.pk}", period, STAFF_COLUMNS, _cells_of_actions(actions))
    of_days = days(connection.pk, period)
    names = operations(of_days)
    of_months = months(of_days)
    page = Paginator(found, RUNS_A_PAGE).get_page(request.GET.get("page"))
    context = {
        **model_admin.admin_site.each_context(request),
        "title": f"Transparency: {connection.name}",
        "opts": ClientConnection._meta,
        "connection": connection,
        "access": as_entered(connection),
        "allowed": _allowed(connection),
        "period": period,
        "operations": names,
        "spans": [
            ("Month", [(span, span.in_order(names)) for span in of_months]),
            ("Day", [(span, span.in_order(names)) for span in of_days]),
        ],
        "page": page,
        "untold": untold(connection.pk, period),
        "staff_actions": actions[:ACTIONS_TOLD],
        "staff_actions_left": actions.count() - ACTIONS_TOLD,
        "made_at": timezone.now(),
    }
    return TemplateResponse(request, "admin/ingestion/clientconnection/transparency.html", context)


def _allowed(connection: ClientConnection) -> list[str]:
    """What KCX's sessions may do, as their policy says it."""
    access = as_entered(connection)
    if not access.role_arn:
        return []
    policy = permission_policy(
        access.role_arn.split(":")[1], access.bucket, access.prefix, access.kms_key_arn
    )
    return [_told(statement) for statement in policy["Statement"]]


def _told(statement: dict[str, Any]) -> str:
    under = statement.get("Condition", {}).get("StringLike", {}).get("s3:prefix")
    only = "" if under is None else f", of names like {under} only"
    return f"{statement['Action']} on {statement['Resource']}{only}"


def _period(request: HttpRequest) -> Period:
    today = timezone.now().date()
    first = _day(request.GET.get("from", ""), today.replace(day=1))
    last = _day(request.GET.get("to", ""), today)
    return Period(min(first, last), max(first, last))


def _day(text: str, default: date) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return default
    return min(max(day, date(2000, 1, 1)), date(9999, 12, 30)) if day else default


def _as_csv(
    of: str, period: Period, columns: Sequence[str], found: Iterator[tuple[str, ...]]
) -> HttpResponseBase:
    name = f"kcx-{of}-{period.first}-{period.last}.csv"
    writer = csv.writer(_Echo())
    rows = (writer.writerow(map(_text, cells)) for cells in chain([columns], found))
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(rows, content_type="text/csv; charset=utf-8", headers=headers)


def _text(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def _cells_of_uses(found: QuerySet[AwsUse]) -> Iterator[tuple[str, ...]]:
    for use in found.iterator():
        ended_at, calls, received = _ending(use)
        run = (use.kind, use.session_name, use.actor, use.subject)
        yield (use.started_at.isoformat(), ended_at, *run, calls, received, use.session_arn, use.ids_text)


def _cells_of_actions(found: QuerySet[StaffAction]) -> Iterator[tuple[str, ...]]:
    for one in found.iterator():
        key = one.source_file.key if one.source_file else ""
        yield (one.at.isoformat(), one.actor, one.action, key, one.reason, json.dumps(one.told))


def _ending(use: AwsUse) -> tuple[str, str, str]:
    """Its end, requests and bytes; what is not known is said to be so."""
    if not use.ended_at:
        return "", "not known", ""
    calls = " ".join(f"{name}:{count['sent']}/{count['refused']}" for name, count in use.calls.items())
    return use.ended_at.isoformat(), calls, str(use.bytes_received)


class _Echo:
    """What csv writes, handed back instead of kept."""

    def write(self, text: str) -> str:
        return text
