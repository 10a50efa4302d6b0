"""The seven steps in their order; the only module that knows it."""

from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django_q.exceptions import TimeoutException

from billing.write import delete_rows
from ingestion.access.refusal import causes_named, look_again, refusals_judged
from ingestion.access.state import reachable
from ingestion.access.stop import stop_where_foreign
from ingestion.attempts import ALIAS, ProgressReporter, begin_attempt
from ingestion.aws_uses import recorded
from ingestion.caps import caps
from ingestion.database_errors import named
from ingestion.deliveries.by_folder import observe_folders
from ingestion.deliveries.by_manifest import ManifestDeliveries
from ingestion.deliveries.manifest_check import ManifestCheck
from ingestion.deliveries.manifest_objects import Bucket
from ingestion.deliveries.older import OlderDeliveries, refuse_unless_left_out
from ingestion.deliveries.undecided import tell_undecided
from ingestion.discovery_runs import begin_run, end_run, one_at_a_time
from ingestion.export_views import refresh_of_file
from ingestion.layouts.families import Family, family_of
from ingestion.load_session import prepare_for_load, prepare_to_finish
from ingestion.models import ClientConnection, Delivery, DiscoveryRun, LoadAttempt, SourceFile
from ingestion.pipeline.assume_role import RoleAccess, access_of, s3_client
from ingestion.pipeline.crashes import close_earlier, record_afterwards
from ingestion.pipeline.failures import as_ours
from ingestion.pipeline.identify_new import NewFiles
from ingestion.pipeline.insert import insert
from ingestion.pipeline.list_files import list_files
from ingestion.pipeline.loaded import Loaded
from ingestion.pipeline.parse import parse
from ingestion.pipeline.stream_read import ObjectReader, PinnedObject
from ingestion.pipeline.update_registry import claim, record_failure, record_success
from ingestion.publish import publish_of_file, publish_pending

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
        try:
            _register_listing(client_connection, run, new_files)
        except (Exception, TimeoutException) as error:  # noqa: BLE001  # whatever is wrong is told by the run
            end_run(run, new_files.found, as_ours(error))
            stop_where_foreign(connection_id, run.error_code, run.error_message, actor)
            return run
        end_run(run, new_files.found)
    publish_pending(
        Delivery.objects.filter(scope__export__connection=connection_id), ManifestCheck().unchanged
    )
    return run


def load(
    source_file_id: int, actor: str, progress: Progress = lambda _rows, _bytes: None
) -> LoadAttempt | None:
    """Steps 1 and 4 to 7 for one file. None where the file is not due, or is loading now.

    Rows, status and the attempt's end commit together; a failure that cannot, commits after it. What goes
    wrong with the file is told by the attempt that is returned; raises DatabaseUnavailable, or StorageError,
    where nothing could be recorded.
    """
    attempt = session = None
    try:
        with transaction.atomic():
            session = connection.connection
            file = claim(source_file_id)
            if file is None:
                return None
            prepare_for_load()
            close_earlier(file)
            attempt = begin_attempt(file, actor)
            _settle(file, attempt, progress)
    except (DatabaseError, InterfaceError) as error:
        ours = named(error, "PostgreSQL did not let the load's end be recorded")
        # Of a session that was lost Django has opened a new one: that load is the sweep's to close.
        is_lost = connection.connection is not session
        if attempt is None or is_lost or not record_afterwards(attempt, ours):
            raise ours from error
    refresh_of_file(source_file_id)
    publish_of_file(source_file_id, ManifestCheck().unchanged)
    attempt.refresh_from_db(using="default")
    connection_id = attempt.source_file.connection_id
    stop_where_foreign(connection_id, attempt.error_code, attempt.error_message, actor)
    return attempt


def want_older_delivery(delivery_id: int, actor: str) -> list[int]:
    """Make the files of a delivery that was left out loadable; answers those that wait. It stays superseded.

    Raises DeliveryNotLoaded where it is another one, or something stands against it; ObjectGone where its
    manifest is no longer in the bucket; and what reading the bucket raises. Then nothing is changed.
    """
    delivery = Delivery.objects.select_related("scope__export__connection").get(pk=delivery_id)
    refuse_unless_left_out(delivery)
    client_connection = delivery.scope.export.connection
    access = access_of(client_connection)
    with recorded(client_connection.pk, f"o{delivery.pk}", actor, str(delivery)) as calls:
        bucket = Bucket(s3_client(access, calls), access)
        OlderDeliveries(NewFiles(client_connection), bucket).want(delivery)
    return list(delivery.files.filter(status=SourceFile.Status.NEW).values_list("pk", flat=True))


def publish_ready() -> int:
    """Publish every delivery that is complete; answers how many. Who refuses KCX is not asked again."""
    check = ManifestCheck(set(reachable().values_list("pk", flat=True)))
    return publish_pending(Delivery.objects.all(), check.unchanged)


def _register_listing(client_connection: ClientConnection, run: DiscoveryRun, new_files: NewFiles) -> None:
    access = access_of(client_connection)
    with recorded(client_connection.pk, f"d{run.pk}", run.actor) as calls:
        s3 = s3_client(access, calls)
        with causes_named(s3, access):
            for page in list_files(s3, access):
                new_files.take(page)
            new_files.finish()
            ManifestDeliveries(new_files, Bucket(s3, access)).observe()
        look_again(s3, client_connection, access)
    observe_folders(client_connection)
    tell_undecided(client_connection.exports.all())


def _settle(file: SourceFile, attempt: LoadAttempt, progress: Progress) -> None:
    aws = recorded(file.connection_id, f"a{attempt.pk}", attempt.actor, file.key, using=ALIAS)
    try:
        with aws as calls:
            access = access_of(file.connection)
            s3 = s3_client(access, calls)
            with refusals_judged(s3, access, file), transaction.atomic():
                loaded = _transfer(file, attempt, ObjectReader(s3, _pinned(file, access)), progress)
                prepare_to_finish()
                _learn_family(file, loaded.names)
                record_success(file, attempt, loaded)
    except (Exception, TimeoutException) as error:  # noqa: BLE001  # whatever is wrong is told by the attempt
        ours = as_ours(error)
        file.refresh_from_db()  # it may have been written INGESTED, and that rolled back
        record_failure(file, attempt, ours)


def _pinned(file: SourceFile, access: RoleAccess) -> PinnedObject:
    return PinnedObject(access.bucket, file.key, file.etag, file.size, access.owner)


def _transfer(file: SourceFile, attempt: LoadAttempt, source: ObjectReader, progress: Progress) -> Loaded:
    with source as reader:
        parsed = parse(lambda: reader, file.key, caps())
        if attempt.is_reload:
            delete_rows(file.connection_id, file.pk)
        reporter = ProgressReporter(attempt)

        def report(rows: int) -> None:
            reporter.report(rows, reader.bytes_read)
            progress(rows, reader.bytes_read)

        inserted = insert(
            parsed, file.connection_id, file.pk, settings.KCX_MAX_ROW_BYTES, report, reader.verify
        )
        return Loaded(
            rows=inserted.rows,
            rows_sha256=inserted.rows_sha256,
            object_sha256=reader.sha256(),
            bytes_read=reader.bytes_read,
            decoded_bytes=parsed.bytes_decoded(),
            names=tuple(column.name for column in parsed.columns),
            types=tuple(column.type for column in parsed.columns),
            parser=parsed.parser,
            oddities=parsed.oddities(),
        )


def _learn_family(file: SourceFile, names: tuple[str, ...]) -> None:
    export = file.export
    if export and export.family == Family.UNKNOWN:
        export.family = family_of(names, export.key_layout)
        export.save(update_fields=["family"])
