"""What a list may be narrowed by: named, typed, and nothing else."""

from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.fields import empty
from rest_framework.request import Request
from rest_framework.serializers import IntegerField, RegexField, Serializer

from kcx.api.pagination import PageQuery


class IdField(IntegerField):
    """An id to narrow by. One outside the scope finds nothing, as one that does not exist."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=1, max_value=2**63 - 1, required=False, **options)


class PeriodField(RegexField):
    """A billing period as `2026-03`; its value is the first day."""

    def __init__(self, **options: Any) -> None:
        super().__init__(r"^[1-9][0-9]{3}-(0[1-9]|1[0-2])$", required=False, **options)

    def run_validation(self, data: Any = empty) -> str:
        """The first day, as PostgreSQL reads it."""
        return f"{super().run_validation(data)}-01"


def read(request: Request, query: type[Serializer[Any]]) -> dict[str, Any]:
    """The checked values of the parameters that were given. Raises ValidationError (400).

    A parameter nobody knows is refused: a misspelt filter would answer with everything.
    """
    known = {*query().fields, *PageQuery().fields}
    wrong = {name: ["There is no such parameter."] for name in request.query_params if name not in known}
    twice = {name: ["Given twice."] for name, values in request.query_params.lists() if len(values) > 1}
    if wrong or twice:
        raise ValidationError(twice | wrong)
    checked = query(data=request.query_params.dict())
    checked.is_valid(raise_exception=True)
    return dict(checked.validated_data)
