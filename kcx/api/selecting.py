"""Which raw rows a request asks for: a selection of loaded files, pinned so that pages never mix two."""

import csv
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from rest_framework import serializers, status
from rest_framework.exceptions import APIException, ValidationError

from ingestion.errors import IngestionError
from ingestion.export_errors import NotExportable, UnknownColumn
from ingestion.exporting.columns import Columns, columns_of
from ingestion.models import Delivery, Export, SourceFile
from ingestion.selection import Selection, of_delivery, of_file, of_period
from kcx.api.problems import Gone
from kcx.api.queries import PeriodField

GONE = "These rows were replaced or taken away since: begin anew, without the cursor or pin."


class NotThere(APIException):
    """The file, delivery or period exists, and its rows are not all there; its code is the error's."""

    status_code = status.HTTP_409_CONFLICT

    def __init__(self, error: IngestionError) -> None:
        super().__init__(f"{error} {error.next_action}", error.code)


class ColumnsQuery(serializers.Serializer[Any]):
    columns = serializers.CharField(
        required=False,
        trim_whitespace=False,
        max_length=100_000,
        help_text="Names of columns, in the wanted order, as one line of CSV; by default all.",
    )


class PeriodQuery(ColumnsQuery):
    period = PeriodField(help_text="A billing period, as 2026-03. Needed.")
    as_of = serializers.DateTimeField(
        required=False, help_text="What was current at this moment; by default now."
    )


def selection_of(one: Any, wanted: dict[str, Any]) -> Selection:
    """The rows of a file, a delivery, or an export's billing period as the checked parameters name it.

    Raises NotThere (409), and ValidationError (400) where the period is missing.
    """
    return _or_not_there(lambda: _selection_of(one, wanted))


def pinned(one: Any, pin: dict[str, Any]) -> Selection:
    """The selection that `pin_of` named. Raises Gone (410) where its rows are no longer the same."""
    as_of = datetime.fromisoformat(pin["as_of"]) if "as_of" in pin else None
    try:
        found = _selection_of(one, {**pin, "as_of": as_of})
    except NotExportable as error:
        raise Gone(GONE) from error
    if found.digest != pin["digest"]:
        raise Gone(GONE)
    return found


def pin_of(selection: Selection, wanted: dict[str, Any]) -> dict[str, Any]:
    """What names the selection and the wanted columns for good, as JSON has it.

    Of a billing period, whose deliveries may be very many, the moment stands for them.
    """
    as_of = selection.as_of and selection.as_of.isoformat()
    facts = {"digest": selection.digest, "as_of": as_of}
    kept = {name: wanted.get(name) for name in ("period", "columns")}
    return {name: value for name, value in (facts | kept).items() if value is not None}


def columns_wanted(selection: Selection, wanted: dict[str, Any]) -> Columns:
    """The columns asked for. Raises ValidationError (400) for one no file has, and for what is no CSV."""
    names = _line_of_csv(wanted["columns"]) if wanted.get("columns") else None
    try:
        return columns_of(selection.files, names)
    except UnknownColumn as error:
        raise ValidationError({"columns": [str(error)]}) from error


def _line_of_csv(text: str) -> list[str]:
    try:
        names = next(csv.reader([text], strict=True))
    except csv.Error as error:
        raise ValidationError({"columns": [f"This is not one line of CSV: {error}."]}) from error
    if not names:
        raise ValidationError({"columns": ["Name one column at least."]})
    return names


def _selection_of(one: Any, wanted: dict[str, Any]) -> Selection:
    if isinstance(one, SourceFile):
        return of_file(one.pk)
    if isinstance(one, Delivery):
        return of_delivery(one.pk)
    export: Export = one
    if "period" not in wanted:
        raise ValidationError({"period": ["Say of which billing period."]})
    as_of: datetime | None = wanted.get("as_of")
    return of_period(export.pk, date.fromisoformat(wanted["period"]), as_of and as_of.astimezone(UTC))


def _or_not_there(select: Callable[[], Selection]) -> Selection:
    try:
        return select()
    except NotExportable as error:
        raise NotThere(error) from error
