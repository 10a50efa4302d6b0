"""What a request may see: every query of the API starts here."""

from django.db.models import QuerySet
from rest_framework.request import Request

from ingestion.models import (
    Client,
    ClientConnection,
    Delivery,
    Export,
    ExportColumn,
    LoadAttempt,
    Receipt,
    SourceFile,
)
from kcx.api.models import ServiceUser


def clients_of(request: Request) -> QuerySet[Client]:
    """The clients in the scope of the request's service user; none where there is no such user."""
    user = request.user
    return user.readable_clients() if isinstance(user, ServiceUser) else Client.objects.none()


def connections_of(request: Request) -> QuerySet[ClientConnection]:
    """The connections in the scope; none where there is no service user."""
    user = request.user
    return user.readable_connections() if isinstance(user, ServiceUser) else ClientConnection.objects.none()


def connection_ids_of(request: Request) -> list[int] | None:
    """The ids of the connections in the scope; None where the scope is all.

    Literal ids let PostgreSQL read only those connections' index entries and partitions.
    """
    user = request.user
    if isinstance(user, ServiceUser) and user.scope == ServiceUser.Scope.ALL:
        return None
    return list(connections_of(request).order_by("pk").values_list("pk", flat=True))


def exports_of(request: Request) -> QuerySet[Export]:
    """The exports of the connections in the scope."""
    ids = connection_ids_of(request)
    return Export.objects.all() if ids is None else Export.objects.filter(connection__in=ids)


def deliveries_of(request: Request) -> QuerySet[Delivery]:
    """The deliveries of the exports in the scope."""
    ids = connection_ids_of(request)
    every = Delivery.objects.all()
    return every if ids is None else every.filter(scope__export__connection__in=ids)


def files_of(request: Request) -> QuerySet[SourceFile]:
    """The registered file versions of the connections in the scope."""
    ids = connection_ids_of(request)
    return SourceFile.objects.all() if ids is None else SourceFile.objects.filter(connection__in=ids)


def attempts_of(request: Request) -> QuerySet[LoadAttempt]:
    """The tries to load the files in the scope."""
    ids = connection_ids_of(request)
    every = LoadAttempt.objects.all()
    return every if ids is None else every.filter(source_file__connection__in=ids)


def columns_of(request: Request) -> QuerySet[ExportColumn]:
    """The drift ledger of the exports in the scope."""
    ids = connection_ids_of(request)
    every = ExportColumn.objects.all()
    return every if ids is None else every.filter(export__connection__in=ids)


def receipts_of(request: Request) -> QuerySet[Receipt]:
    """The receipts of the connections in the scope."""
    ids = connection_ids_of(request)
    return Receipt.objects.all() if ids is None else Receipt.objects.filter(connection__in=ids)
