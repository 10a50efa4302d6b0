"""Clients and their connections."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from ingestion.models import Client, ClientConnection
from kcx.api.queries import IdField
from kcx.api.resources import Resource
from kcx.api.scope import clients_of, connections_of


class ClientSerializer(serializers.ModelSerializer[Client]):
    class Meta:
        model = Client
        fields = ["id", "name", "enabled", "created_at"]


class Clients(Resource):
    """The clients of the token's scope."""

    serializer_class = ClientSerializer

    def found(self) -> QuerySet[Client]:
        """The clients of the scope."""
        return clients_of(self.request)


class ConnectionSerializer(serializers.ModelSerializer[ClientConnection]):
    class Meta:
        model = ClientConnection
        fields = [
            "id",
            "client",
            "name",
            "bucket",
            "prefix",
            "region",
            "enabled",
            "last_discovered_at",
            "created_at",
        ]


class ConnectionQuery(serializers.Serializer[Any]):
    client = IdField()


class Connections(Resource):
    """The buckets and prefixes KCX reads for the clients of the token's scope."""

    serializer_class = ConnectionSerializer
    query = ConnectionQuery

    def found(self) -> QuerySet[ClientConnection]:
        """The connections of the scope."""
        return connections_of(self.request)
