"""Admin pages of receipts and verifications, and the actions that ask for a verification."""

import json
import re
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.decorators import display

from ingestion.admin.chosen import files_named
from ingestion.admin.history import HistoryAdmin
from ingestion.models import ClientConnection, Receipt, SourceFile, Verification
from ingestion.receipts import body_of
from ingestion.staff_actions import record
from ingestion.verification.wishes import request_verification, request_verification_of_connection

# What staff do to each file is recorded in one request.
MOST_VERIFIED = 100
TOO_MANY = (
    f"Nothing was asked for: more than {MOST_VERIFIED} files are chosen."
    " Choose fewer, or verify a whole connection from its list or by the command."
)


@admin.register(Receipt)
class ReceiptAdmin(HistoryAdmin):
    list_display = ["sequence", "kind", "about", "created_at", "hash"]
    list_filter = ["kind", "connection"]
    list_select_related = ["connection", "source_file", "delivery__scope__export__connection"]
    search_fields = ["sha256"]  # there is a search: get_search_results says which
    search_help_text = "A file's whole key, or a receipt's whole SHA-256"
    exclude = ["body"]
    readonly_fields = ["receipt"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Receipt], search_term: str
    ) -> tuple[QuerySet[Receipt], bool]:
        """By a file's key, which an index finds, or by a hash, compared as it is."""
        term = search_term.strip()
        if re.fullmatch("[0-9a-f]{64}", term):
            return queryset.filter(sha256=term), False
        return (queryset.filter(source_file__in=files_named(term)) if term else queryset), False

    @admin.display(description="Of")
    def about(self, receipt: Receipt) -> str:
        """The file, the delivery or the purge, and the connection below it."""
        what = '<span class="kcx-key">{}</span><br><span class="kcx-quiet">{}</span>'
        subject = receipt.source_file or receipt.delivery or "All rows"
        return format_html(what, subject, receipt.connection)

    @admin.display(description="SHA-256", ordering="sha256")
    def hash(self, receipt: Receipt) -> str:
        """How it begins; all of it on hover."""
        whole = '<span class="kcx-mono" title="{}">{} …</span>'
        return format_html(whole, receipt.sha256, receipt.sha256[:16])

    @admin.display(description="Receipt")
    def receipt(self, receipt: Receipt) -> str:
        """Its text, laid out; as it is, where KCX did not write it. What is hashed is without the layout."""
        body = body_of(receipt)
        text = json.dumps(body, indent=2, ensure_ascii=False) if body else receipt.body
        return format_html("<pre>{}</pre>", text)


@admin.register(Verification)
class VerificationAdmin(HistoryAdmin):
    list_display = ["id", "connection", "source_file", "outcome_label", "against_s3", "ended_at", "actor"]
    list_filter = ["outcome", "against_s3", "connection"]
    list_select_related = ["connection", "source_file"]
    exclude = ["report"]
    readonly_fields = ["told"]

    @display(
        description="Outcome",
        ordering="outcome",
        label={"Equal": "success", "Different": "danger", "Could not be compared": "warning"},
    )
    def outcome_label(self, verification: Verification) -> str:
        """The outcome, coloured."""
        return verification.get_outcome_display()

    @admin.display(description="Report")
    def told(self, verification: Verification) -> str:
        """The first differences, and how many there are of each kind."""
        return format_html("<pre>{}</pre>", json.dumps(verification.report, indent=2, ensure_ascii=False))


@admin.action(description="Verify what is stored", permissions=["operate"])
def verify_stored(model_admin: Any, request: HttpRequest, files: QuerySet[SourceFile]) -> None:
    """Ask for a comparison of each file's rows with its digests and its receipt."""
    _verify(model_admin, request, files, "verify")


@admin.action(description="Verify against S3", permissions=["operate"])
def verify_against_s3(model_admin: Any, request: HttpRequest, files: QuerySet[SourceFile]) -> None:
    """Ask for a comparison of every cell with the object in the client's bucket."""
    _verify(model_admin, request, files, "verify against S3")


@admin.action(description="Verify what is stored", permissions=["operate"])
def verify_connections(
    model_admin: Any, request: HttpRequest, connections: QuerySet[ClientConnection]
) -> None:
    """Ask for a comparison of each connection's receipts and files."""
    person = request.user.get_username()
    for connection in connections:
        record(person, "verify", connection=connection)
        request_verification_of_connection(connection, person)
    model_admin.message_user(request, _asked_for(len(connections)))


def _verify(model_admin: Any, request: HttpRequest, files: QuerySet[SourceFile], action: str) -> None:
    keys = list(files.order_by().values_list("pk", flat=True)[: MOST_VERIFIED + 1])
    if len(keys) > MOST_VERIFIED:
        model_admin.message_user(request, TOO_MANY, messages.ERROR)
        return
    person = request.user.get_username()
    chosen = SourceFile.objects.filter(pk__in=keys, status="INGESTED").select_related("connection")
    for file in chosen:
        record(person, action, source_file=file)
    request_verification(chosen, person, against_s3=action != "verify")
    model_admin.message_user(request, _asked_for(len(chosen)))


def _asked_for(count: int) -> str:
    what = "1 verification is" if count == 1 else f"{count} verifications are"
    return f"{what} asked for; what comes of it is kept under Verifications."
