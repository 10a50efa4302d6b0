"""Compares a connection's receipts with each other, with an exported head, and with what they speak of."""

from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet

from billing.read import files_with_rows
from ingestion.models import ClientConnection, Delivery, Receipt, ReceiptChain, SourceFile
from ingestion.models.receipt import NOTHING_BEFORE
from ingestion.receipts import as_written, body_of, delivery_facts
from ingestion.verification.purges import compare_purge
from ingestion.verification.report import Report
from ingestion.verification.stored import compare_receipt, expect_facts, expect_hash
from ingestion.verification.validity import Ends, compare_validity


@dataclass(frozen=True, slots=True)
class Head:
    """The last receipt of a chain, as somebody exported it. `sequence` is 0 where there was none."""

    sequence: int
    sha256: str


def compare_chain(connection: ClientConnection, head: Head | None, report: Report) -> None:
    """Every receipt from the first to the head, and the head that was exported, if one is given."""
    last = Head(0, NOTHING_BEFORE)
    exported = last if head is None or head.sequence == 0 else None
    for receipt in connection.receipts.order_by("sequence").iterator():
        _compare_link(last, receipt, report)
        last = Head(receipt.sequence, receipt.sha256)
        if head and receipt.sequence == head.sequence:
            exported = last
    stored = ReceiptChain.objects.filter(connection=connection).first()
    expected = Head(stored.sequence, stored.sha256) if stored else Head(0, NOTHING_BEFORE)
    report.expect("head", "The chain's last receipt", str(expected), str(last))
    if head:
        report.expect("exported_head", f"Receipt {head.sequence} as exported", str(head), str(exported))


def compare_registry(connection: ClientConnection, report: Report) -> None:
    """What is stored, loaded, published and purged against the receipts, and these against what they say."""
    for file in with_receipts_or_rows(connection).iterator():
        compare_receipt(file, report)
    for receipt in connection.receipts.filter(
        Q(kind="FILE") & ~Exists(SourceFile.objects.filter(pk=OuterRef("source_file_id")))
        | Q(kind="DELIVERY") & ~Exists(Delivery.objects.filter(pk=OuterRef("delivery_id")))
    ):
        what = (
            f"file {receipt.source_file_id}" if receipt.kind == "FILE" else f"delivery {receipt.delivery_id}"
        )
        report.differs("gone", f"Receipt {receipt.sequence} is of {what}, which is gone.")
    ends = Ends(connection)
    for delivery in _with_receipts_or_published(connection).iterator():
        _compare_delivery(delivery, ends, report)
    compare_purge(connection, report)
    _compare_rows_of_no_load(connection, report)


def with_receipts_or_rows(connection: ClientConnection) -> QuerySet[SourceFile]:
    """The files of the connection that are ingested or purged, or that a receipt says were ingested."""
    states = Q(status=SourceFile.Status.INGESTED) | Q(skip_reason=SourceFile.SkipReason.PURGED)
    received = Exists(Receipt.objects.filter(source_file=OuterRef("pk")))
    files = connection.files.filter(states | received)
    return files.select_related("connection", "layout").order_by("pk")


def _with_receipts_or_published(connection: ClientConnection) -> QuerySet[Delivery]:
    """Scope by scope."""
    received = Exists(Receipt.objects.filter(delivery=OuterRef("pk")))
    deliveries = Delivery.objects.filter(
        Q(published_at__isnull=False) | received, scope__export__connection=connection
    )
    return deliveries.select_related("scope__export").order_by("scope", "pk")


def _compare_rows_of_no_load(connection: ClientConnection, report: Report) -> None:
    """No rows are stored but those of files that are ingested."""
    ingested = connection.files.filter(status=SourceFile.Status.INGESTED).values_list("pk", flat=True)
    for file_id in sorted(files_with_rows(connection.pk).difference(ingested.iterator())):
        file = connection.files.filter(pk=file_id).first()
        state = f"is {file.skip_reason or file.status}" if file else "is not registered"
        report.differs("rows_of_no_load", f"Rows of file {file_id} are stored, but it {state}.")


def _compare_link(before: Head, receipt: Receipt, report: Report) -> None:
    number = receipt.sequence
    if number != before.sequence + 1:
        report.differs("gap", f"Receipt {number} follows receipt {before.sequence}: some are missing.")
    report.expect(
        "link",
        f"Hash that receipt {number} carries of the one before",
        before.sha256,
        receipt.previous_sha256,
    )
    expect_hash(receipt, report)
    columns = {
        "sequence": number,
        "connection_id": receipt.connection_id,
        "kind": receipt.kind,
        "created_at": receipt.created_at,
    }
    if named := {"FILE": "source_file_id", "DELIVERY": "delivery_id"}.get(receipt.kind):
        columns[named] = getattr(receipt, named)
    body = body_of(receipt)
    for name, value in as_written(columns).items():
        report.expect("receipt", f"{name} of receipt {number}", body.get(name), value)


def _compare_delivery(delivery: Delivery, ends: Ends, report: Report) -> None:
    receipt = delivery.receipts.order_by("-sequence").first()
    if receipt is None:
        report.differs("no_receipt", f"Delivery {delivery.pk} was published but has no receipt.")
        return
    expect_facts(receipt, delivery_facts(delivery), report)
    compare_validity(receipt, delivery, ends, report)
    try:
        received = sorted(file["id"] for file in body_of(receipt).get("files", []))
    except (KeyError, TypeError):  # none of KCX's texts
        received = []
    held = sorted(delivery.files.values_list("pk", flat=True))
    report.expect("registry", f"Files of delivery {delivery.pk}", received, held)
