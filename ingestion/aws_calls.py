"""Counts the requests one run makes to AWS: every try of every call, what came back, how many bytes."""

from collections import defaultdict
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

# What ResumingBody tells the client's hooks of the bytes of an object, which botocore does not see.
BODY_RECEIVED = "kcx-body-received"


@dataclass
class Calls:
    """The requests so far, by operation (as `ListObjectsV2`): `sent`, and of these `refused` or unanswered.

    `run` (as `d12`) ends the name of the session in the client's CloudTrail. `bytes_received` are those of
    listings and of objects. `session_arn`: of the role, as STS named it last. `ids`: what AWS called the last
    answer to each operation, and under `refused` the last refusal. Safe among threads.
    """

    run: str
    by_operation: dict[str, dict[str, int]] = field(
        default_factory=lambda: defaultdict(lambda: {"sent": 0, "refused": 0})
    )
    bytes_received: int = 0
    session_arn: str = ""
    ids: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    _lock: Lock = field(default_factory=Lock)

    def watch(self, events: Any) -> None:
        """Count what a client, or all clients of a session, do from now on. `events`: botocore's hooks."""
        events.register("before-send", self._sent)
        events.register("response-received", self._answered)
        events.register(BODY_RECEIVED, self._received)

    def told(self) -> dict[str, dict[str, int]]:
        """A copy, by operation."""
        with self._lock:
            return {operation: dict(counted) for operation, counted in self.by_operation.items()}

    def told_ids(self) -> dict[str, dict[str, str]]:
        """A copy of `ids`."""
        with self._lock:
            return {operation: dict(names) for operation, names in self.ids.items()}

    def _sent(self, event_name: str, **_: object) -> None:
        with self._lock:
            self.by_operation[_operation(event_name)]["sent"] += 1

    def _answered(
        self,
        event_name: str,
        response_dict: dict[str, Any] | None,
        parsed_response: dict[str, Any] | None,
        **_: object,
    ) -> None:
        operation, parsed = _operation(event_name), parsed_response or {}
        body = response_dict["body"] if response_dict else b""
        refused = response_dict is None or response_dict["status_code"] >= 400
        with self._lock:
            self.by_operation[operation]["refused"] += refused
            self.bytes_received += len(body) if isinstance(body, bytes) else 0
            self.session_arn = parsed.get("AssumedRoleUser", {}).get("Arn", self.session_arn)
            if name := _id_of(parsed.get("ResponseMetadata", {})):
                self.ids[operation]["refused" if refused else "answered"] = name

    def _received(self, size: int, **_: object) -> None:
        with self._lock:
            self.bytes_received += size


def _id_of(metadata: dict[str, Any]) -> str:
    """The request's id, and S3's extended one behind it."""
    return " ".join(filter(None, (metadata.get("RequestId"), metadata.get("HostId"))))


def _operation(event_name: str) -> str:
    return event_name.rpartition(".")[2]
