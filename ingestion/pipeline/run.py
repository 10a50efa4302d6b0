"""The seven steps in their order; the only module that knows it."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction

from billing.write import delete_rows
from ingestion.attempts import ProgressReporter, begin_attempt
from ingestion.discovery_runs import begin_run, end_run, one_at_a_time
from ingestion.errors import DatabaseUnavailable, IngestionError, UnexpectedError
from ingestion.layouts.families import Family, family_of
from ingestion.models import ClientConnection, Delivery, DiscoveryRun, LoadAttempt, SourceFile
from ingestion.pipeline.assume_role import RoleAccess, s3_client
from ingestion.pipeline.identify_new import NewFiles
from ingestion.pipeline.insert import insert
from ingestion.pipeline.list_files import list_files
from ingestion.pipeline.parse import Limits, parse
from ingestion.pipeline.stream_read import ObjectReader, PinnedObject
from ingestion.pipeline.update_registry import Loaded, claim, record_failure, record_success
from ingestion.publish import publish_of_file, publish_pending

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client  # types only: not installed where KCX runs

logger = logging.getLogger(__name__)

# Rows and bytes read so far.
Progress = Callable[[int, int], None]


def discover(connection_id: int, actor: str) -> DiscoveryRun | None:
    """Steps 1 to 3: list the connection and register what is new. None where a discovery is running already.

    What goes wrong is told by the run that is returned.
    """
    with one_at_a_time(connection_id) as alone:
        if not alone:
            return None
        client_connection = ClientConnection.objects.get(pk=connection_id)
        run = begin_run(client_connection, actor)
        new_files = NewFiles(client_connection)
        error = _named(lambda: _register_listing(client_connection, run, new_files))
        end_run(run, new_files.found, error)
    publish_pending(Delivery.objects.filter(scope__export__connection=connection_id))
    return run


def load(
    source_file_id: int, actor: str, progress: Progress = lambda _rows, _bytes: None
) -> LoadAttempt | None:
    """Steps 1 and 4 to 7 for one file. None where the file is not due, or is loading now.

    Rows, status and the attempt's end commit together, whatever happens. What goes wrong with the file is
    told by the attempt that is returned; raises DatabaseUnavailable where nothing could be recorded.
    """
    try:
        with transaction.atomic():
            file = claim(source_file_id)
            if file is None:
                return None
            attempt = begin_attempt(file, actor)
            _settle(file, attempt, progress)
    except (OperationalError, InterfaceError) as error:
        raise DatabaseUnavailable(f"PostgreSQL went away during the load: {error}") from error
    publish_of_file(source_file_id)
    attempt.refresh_from_db(using="default")
    return attempt


def _register_listing(client_connection: ClientConnection, run: DiscoveryRun, new_files: NewFiles) -> None:
    access = access_of(client_connection)
    for page in list_files(s3_client(access, f"d{run.pk}"), access):
        new_files.take(page)
    new_files.finish()


def _settle(file: SourceFile, attempt: LoadAttempt, progress: Progress) -> None:
    loaded: list[Loaded] = []

    def transfer() -> None:
        with transaction.atomic():
            loaded.append(_transfer(file, attempt, progress))

    error = _named(transfer)
    if error:
        record_failure(file, attempt, error)
        return
    record_success(file, attempt, loaded[0])
    _learn_family(file, loaded[0].names)


def _transfer(file: SourceFile, attempt: LoadAttempt, progress: Progress) -> Loaded:
    access = access_of(file.connection)
    pinned = PinnedObject(access.bucket, file.key, file.etag, file.size, access.owner)
    with _Source(s3_client(access, f"a{attempt.pk}"), pinned) as source:
        parsed = parse(source.open, file.key, Limits(row_bytes=settings.KCX_MAX_ROW_BYTES))
        _keep_session_alive()
        if attempt.is_reload:
            delete_rows(file.connection_id, file.pk)
        reporter = ProgressReporter(attempt)

        def report(rows: int) -> None:
            reporter.report(rows, source.reader.bytes_read)
            progress(rows, source.reader.bytes_read)

        inserted = insert(parsed, file.connection_id, file.pk, settings.KCX_MAX_ROW_BYTES, report)
        return Loaded(
            rows=inserted.rows,
            rows_sha256=inserted.rows_sha256,
            object_sha256=source.reader.sha256(),
            bytes_read=source.reader.bytes_read,
            decoded_bytes=parsed.bytes_decoded(),
            names=tuple(column.name for column in parsed.columns),
            types=tuple(column.type for column in parsed.columns),
            parser=parsed.parser,
        )


class _Source:
    """Opens readers of one object version; `reader` is the newest, whose figures count."""

    def __init__(self, s3: "S3Client", pinned: PinnedObject) -> None:
        self._s3 = s3
        self._pinned = pinned
        self.reader = ObjectReader(s3, pinned)

    def open(self) -> ObjectReader:
        self.reader.close()
        self.reader = ObjectReader(self._s3, self._pinned)
        return self.reader

    def __enter__(self) -> "_Source":
        return self

    def __exit__(self, *_: object) -> None:
        self.reader.close()


def access_of(client_connection: ClientConnection) -> RoleAccess:
    """What the steps need to reach the connection's bucket."""
    return RoleAccess(
        connection_id=client_connection.pk,
        role_arn=client_connection.role_arn,
        external_id=client_connection.external_id,
        region=client_connection.region,
        bucket=client_connection.bucket,
        prefix=client_connection.prefix,
        owner=client_connection.owner,
        kms_key_arn=client_connection.kms_key_arn,
    )


def _named(work: Callable[[], None]) -> IngestionError | None:
    """Do the work; answers what went wrong as KCX's own error. What PostgreSQL raises goes on."""
    try:
        work()
    except IngestionError as error:
        return error
    except DatabaseError:
        raise
    except Exception as error:
        logger.exception("Unexpected error")
        return UnexpectedError(f"{type(error).__name__}: {error}")
    return None


def _keep_session_alive() -> None:
    """Let the server notice within a minute that this host has vanished, and free the file's lock."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL tcp_keepalives_idle = 30")
        cursor.execute("SET LOCAL tcp_keepalives_interval = 10")
        cursor.execute("SET LOCAL tcp_keepalives_count = 3")


def _learn_family(file: SourceFile, names: tuple[str, ...]) -> None:
    export = file.export
    if export and export.family == Family.UNKNOWN:
        export.family = family_of(names, export.key_layout)
        export.save(update_fields=["family"])
