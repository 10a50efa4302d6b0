"""Copies of archived objects that can be read for a while: a listing names them, which moto leaves out."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

from moto.core.responses import ActionResult
from moto.s3.responses import S3Response

from kcx.simulated_aws.replacing import replaced

UNDER_WAY = "restore_under_way"


@contextmanager
def restores_listed() -> Iterator[None]:
    """While it lasts, a listing that asks for it says of each object whether it was restored."""
    serialized = S3Response.serialized

    def with_restores(response: S3Response, result: ActionResult) -> Any:
        if response.headers.get("x-amz-optional-object-attributes") == "RestoreStatus":
            _add_to(response, result)
        return serialized(response, result)

    with replaced(S3Response, "serialized", with_restores):
        yield


def _add_to(response: S3Response, result: ActionResult) -> None:
    listed = result.result
    if not isinstance(listed, dict):
        return  # an error
    stored = response.backend.get_bucket(response.bucket_name).keys
    for item in listed.get("Contents", []):
        if status := _status(vars(stored[unquote(item["Key"])])):
            item["RestoreStatus"] = status


def _status(of_object: dict[str, Any]) -> dict[str, Any]:
    if of_object.get(UNDER_WAY):
        return {"IsRestoreInProgress": True}
    expiry = of_object["_expiry"]
    return {"IsRestoreInProgress": False, "RestoreExpiryDate": expiry} if expiry else {}
