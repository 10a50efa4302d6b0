"""What verifications found different, until a later one that looked as closely finds it equal."""

from django.db.models import Count, Exists, OuterRef, Q

from ingestion.models import SourceFile, Verification

Outcome = Verification.Outcome


def different_by_connection() -> dict[int, int]:
    """By connection, how many verifications found differences that are there still, as far as is known.

    What was stored of a purged file is there no more.
    """
    as_closely = Q(against_s3=True) | Q(against_s3=OuterRef("against_s3"))
    equal = Verification.objects.filter(as_closely, outcome=Outcome.EQUAL, pk__gt=OuterRef("pk"))
    of_file = Exists(equal.filter(source_file=OuterRef("source_file")))
    of_receipts = Exists(equal.filter(connection=OuterRef("connection"), source_file=None))
    purged = Q(source_file__skip_reason=SourceFile.SkipReason.PURGED)
    different = Verification.objects.filter(outcome=Outcome.DIFFERENT).exclude(purged).order_by()
    standing = different.filter(Q(source_file__isnull=False) & ~of_file | Q(source_file=None) & ~of_receipts)
    return dict(standing.values_list("connection").annotate(Count("pk")))
