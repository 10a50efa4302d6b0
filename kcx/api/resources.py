"""What all resources share: read-only, in pages, told by ETag."""

import hashlib
from typing import Any, ClassVar

from django.db.models import Model, QuerySet
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ReadOnlyModelViewSet

from kcx.api import queries

ONE_YEAR = "private, max-age=31536000, immutable"
ASK_AGAIN = "private, no-cache"


class NoParameters(serializers.Serializer[Any]):
    """A list that is narrowed by nothing."""


class Resource(ReadOnlyModelViewSet[Any]):
    """A list and its members, of what the request's scope holds; `found` says what that is.

    `query` names the parameters of the list; the `source` of each is what it filters by.
    """

    http_method_names = ["get", "head", "options"]
    lookup_value_converter = "int"
    query: ClassVar[type[serializers.Serializer[Any]]] = NoParameters

    def found(self) -> QuerySet[Any]:
        """Everything in the scope, with what its serializer reads."""
        raise NotImplementedError

    def narrowed(self, found: QuerySet[Any], wanted: dict[str, Any]) -> QuerySet[Any]:
        """What the checked parameters leave of it."""
        return found.filter(**wanted)

    def never_changes(self, one: Any) -> bool:
        """Will this member be answered like this for ever?"""
        return False

    def takes(self) -> type[serializers.Serializer[Any]]:
        """The parameters of the address that was asked for."""
        return self.query if self.action == "list" else NoParameters

    def get_queryset(self) -> QuerySet[Any]:
        """For a list, what its parameters leave; else the whole scope."""
        wanted = queries.read(self.request, self.takes())
        return self.narrowed(self.found(), wanted) if self.action == "list" else self.found()

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One of them, by its id; 304 where If-None-Match names it as it is."""
        one: Model = self.get_object()
        return unless_known(request, self.get_serializer(one).data, ends=self.never_changes(one))

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """No cache gives one asker's answer to another."""
        response = super().finalize_response(request, response, *args, **kwargs)
        response.setdefault("Cache-Control", ASK_AGAIN)
        patch_vary_headers(response, ["Authorization"])
        return response


def unless_known(request: Request, data: Any, *, ends: bool) -> Response:
    """The data with its ETag, or 304 without it; `ends`: it never changes again."""
    etag = f'"{hashlib.sha256(JSONRenderer().render(data)).hexdigest()}"'
    headers = {"ETag": etag, "Cache-Control": ONE_YEAR if ends else ASK_AGAIN}
    known = parse_etags(request.headers.get("If-None-Match", ""))
    if "*" in known or etag in [one.removeprefix("W/") for one in known]:
        return Response(status=304, headers=headers)
    return Response(data, headers=headers)


class Nothing(APIView):
    """Whatever address of the API leads nowhere."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Who may ask is checked first; then there is nothing, by any method."""
        super().initial(request, *args, **kwargs)
        raise NotFound("There is nothing at this address; addresses end in a slash.")
