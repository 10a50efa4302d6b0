"""The stop for a bucket that is another account's: nothing is loaded until access is verified again."""

from dataclasses import asdict

from django.db import transaction
from django.utils import timezone

from ingestion.access.enabling import disable
from ingestion.access.rung import FAILED, Rung
from ingestion.access.state import note_check
from ingestion.access_errors import ForeignBucket
from ingestion.models import AccessCheck, ClientConnection

TITLE = "The bucket is of the account it should be"


@transaction.atomic
def stop_where_foreign(connection_id: int, code: str, told: str, actor: str) -> None:
    """Where a load or a discovery ended with `code` foreign_bucket: disable the connection.

    What was found is kept as a failed access check, so that only a check that passes lets it be enabled.
    """
    if code != ForeignBucket.code:
        return
    connection = ClientConnection.objects.select_for_update(no_key=True).get(pk=connection_id)
    newest = connection.access_checks.filter(outcome__in=AccessCheck.CONCLUSIVE).first()
    if newest is None or not newest.must_stop:
        cause, remedy = ForeignBucket.__doc__ or "", ForeignBucket.next_action
        rung = Rung("bucket_owner", TITLE, FAILED, told, cause, remedy, error=code)
        found = {"outcome": AccessCheck.Outcome.FAILED, "ended_at": timezone.now(), "rungs": [asdict(rung)]}
        note_check(AccessCheck.objects.create(connection=connection, actor=actor, **found))
    if connection.enabled:
        disable(connection, actor, told)
