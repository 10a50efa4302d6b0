"""Loads files in a command's own process, with a progress bar on a terminal and a line per file elsewhere."""

import json
from dataclasses import asdict, dataclass

from django.core.management.base import OutputWrapper
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ingestion.models import LoadAttempt, SourceFile
from ingestion.reruns import load_each


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What came of one file; `error_code` and `error` are empty where it was loaded."""

    file_id: int
    key: str
    outcome: str
    rows: int
    error_code: str = ""
    error: str = ""


def load_files(files: list[int], actor: str, out: OutputWrapper, *, as_json: bool) -> bool:
    """Load the files and tell of each; True where none failed."""
    outcomes = (
        _with_bar(files, actor)
        if not as_json and out.isatty()
        else _plainly(files, actor, out, silent=as_json)
    )
    failed = [outcome for outcome in outcomes if outcome.outcome == "failed"]
    if as_json:
        out.write(json.dumps([asdict(outcome) for outcome in outcomes], indent=2))
    else:
        loaded = [outcome for outcome in outcomes if outcome.outcome == "ingested"]
        out.write(
            f"{len(loaded)} files ingested, {sum(o.rows for o in loaded):,} rows; {len(failed)} failed."
        )
    return not failed


def _plainly(files: list[int], actor: str, out: OutputWrapper, *, silent: bool) -> list[FileOutcome]:
    outcomes = []
    for file_id, attempt in load_each(files, actor, lambda _rows, _bytes: None):
        outcomes.append(_outcome(file_id, attempt))
        if not silent:
            out.write(_line(outcomes[-1]))
    return outcomes


def _with_bar(files: list[int], actor: str) -> list[FileOutcome]:
    sizes = dict(SourceFile.objects.filter(pk__in=files).values_list("pk", "size"))
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    outcomes: list[FileOutcome] = []
    with Progress(*columns, TextColumn("{task.fields[rows]:,} rows")) as bar:
        task = bar.add_task(f"{len(files)} files", total=sum(sizes.values()) or 1, rows=0)
        done = rows_done = 0

        def progress(rows: int, bytes_read: int) -> None:
            bar.update(task, completed=done + bytes_read, rows=rows_done + rows)

        for file_id, attempt in load_each(files, actor, progress):
            outcomes.append(_outcome(file_id, attempt))
            done += sizes.get(file_id, 0)
            rows_done += outcomes[-1].rows
            bar.update(task, completed=done, rows=rows_done)
            bar.print(_line(outcomes[-1]), markup=False, highlight=False)
    return outcomes


def _outcome(file_id: int, attempt: LoadAttempt | None) -> FileOutcome:
    key = SourceFile.objects.values_list("key", flat=True).get(pk=file_id)
    if attempt is None:
        return FileOutcome(
            file_id, key, "left alone: not due, loading now, or refused with all of its connection", 0
        )
    if attempt.outcome == LoadAttempt.Outcome.SUCCEEDED:
        return FileOutcome(file_id, key, "ingested", attempt.rows)
    return FileOutcome(file_id, key, "failed", 0, attempt.error_code, attempt.error_message)


def _line(outcome: FileOutcome) -> str:
    told = f"{outcome.rows:,} rows" if not outcome.error_code else f"{outcome.error_code}: {outcome.error}"
    return f"{outcome.outcome:9} {outcome.key}  {told}"
