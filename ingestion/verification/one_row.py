"""One stored row beside the same row of its object, read again from the bucket."""

from dataclasses import dataclass

from billing.read import values_between
from ingestion.aws_uses import recorded
from ingestion.caps import caps
from ingestion.errors import IngestionError
from ingestion.models import SourceFile
from ingestion.pipeline.assume_role import access_of, s3_client
from ingestion.pipeline.parse import parse
from ingestion.pipeline.stream_read import ObjectReader, PinnedObject
from ingestion.verification.cells import batch_differences


@dataclass(frozen=True, slots=True)
class RowComparison:
    """`differences` are sentences; `not_compared` says why nothing could be compared, else ''."""

    differences: tuple[str, ...] = ()
    not_compared: str = ""

    @property
    def equal(self) -> bool:
        """Was every cell compared, and is it the same?"""
        return not self.differences and not self.not_compared


def compare_row(file: SourceFile, number: int, actor: str) -> RowComparison:
    """Read this version of the object up to the row, and compare every cell of it with what is stored."""
    try:
        access = access_of(file.connection)
        pinned = PinnedObject(access.bucket, file.key, file.etag, file.size, access.owner)
        with (
            recorded(file.connection_id, f"r{file.pk}", actor, f"{file.key}, row {number}") as calls,
            ObjectReader(s3_client(access, calls), pinned) as reader,
        ):
            parsed = parse(lambda: reader, file.key, caps())
            rows = 0
            for batch in parsed.batches:
                rows += batch.num_rows
                if rows >= number:
                    place = number - 1 - (rows - batch.num_rows)
                    names = [column.name for column in parsed.columns]
                    stored = values_between(file.connection_id, file.pk, number, number)
                    found = batch_differences(number, names, batch.slice(place, 1), stored)
                    return RowComparison(tuple(difference.sentence for difference in found))
    except IngestionError as error:
        return RowComparison(not_compared=f"{error} {error.next_action}")
    return RowComparison(
        (f"The object has {rows:,} rows: row {number:,} is stored, the object does not have it.",)
    )
