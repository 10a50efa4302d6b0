"""Compares a file's stored rows, cell by cell, with its object, streamed again from the bucket."""

from billing.read import rows_outside, values_between
from ingestion.attempts import ALIAS
from ingestion.aws_uses import recorded
from ingestion.caps import caps
from ingestion.errors import BadFileError, IngestionError
from ingestion.formats.contract import ParsedFile
from ingestion.models import SourceFile
from ingestion.pipeline.assume_role import access_of, s3_client
from ingestion.pipeline.parse import parse
from ingestion.pipeline.stream_read import ObjectReader, PinnedObject
from ingestion.verification.cells import batch_differences
from ingestion.verification.report import DIFFERENCES_TOLD, Difference, Report


def compare_object(file: SourceFile, report: Report, actor: str) -> None:
    """Read this version of the object again; hold one batch of it and the same rows of the database.

    Where the version is no longer there, or cannot be read now, that is told and is no difference.
    """
    try:
        access = access_of(file.connection)
        pinned = PinnedObject(access.bucket, file.key, file.etag, file.size, access.owner)
        with (
            recorded(file.connection_id, f"v{file.pk}", actor, file.key, ALIAS) as calls,
            ObjectReader(s3_client(access, calls), pinned) as reader,
        ):
            parsed = parse(lambda: reader, file.key, caps())
            _compare_columns(file, parsed, report)
            _compare_cells(file, parsed, report)
            report.expect("object_sha256", "Digest of the object", file.object_sha256, reader.sha256())
    except BadFileError as error:
        report.differs("object_unreadable", f"The object was loaded but does not read now: {error}")
    except IngestionError as error:
        report.not_compared.append(f"{error.code}: {error}")


def _compare_columns(file: SourceFile, parsed: ParsedFile, report: Report) -> None:
    names = [column.name for column in parsed.columns]
    types = [column.type for column in parsed.columns]
    layout = file.layout
    report.expect("columns", "Column names", names, layout and layout.names)
    report.expect("columns", "Column types", types, layout and layout.types)


def _compare_cells(file: SourceFile, parsed: ParsedFile, report: Report) -> None:
    names = [column.name for column in parsed.columns]
    rows = 0
    for batch in parsed.batches:
        first, rows = rows + 1, rows + batch.num_rows
        stored = values_between(file.connection_id, file.pk, first, rows)
        for difference in batch_differences(first, names, batch, stored):
            report.add(difference)
    count, numbers = rows_outside(file.connection_id, file.pk, rows, DIFFERENCES_TOLD)
    for number in numbers:
        report.add(Difference("row_extra", f"Row {number} is stored, the file does not have it.", number))
    report.counts["row_extra"] += count - len(numbers)
    report.counts = +report.counts
