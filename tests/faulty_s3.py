"""AWS behind a wire that breaks as scripted: what moto cannot do. In front of moto, or of one object."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from mypy_boto3_s3 import S3Client

from ingestion.pipeline.assume_role import CONFIG

LINGER_NOT = struct.pack("ii", 1, 0)  # closing a socket then sends a reset, not a FIN


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    operation: str
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """One answer, complete; whoever sends it says how much of it arrives."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def head(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} Scripted", *(f"{n}: {v}" for n, v in self.headers.items())]
        return "\r\n".join([*lines, "Connection: close", "", ""]).encode()


class Wire:
    """The connection to the one who asked."""

    def __init__(self, connection: socket.socket, ended: threading.Event) -> None:
        self._socket = connection
        self._ended = ended

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def pause(self, seconds: float | None = None) -> bool:
        """Wait so long, or until the test ends; answers whether it ended."""
        return self._ended.wait(seconds)

    def reset(self) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)


# What happens to one answer.
Fault = Callable[[Wire, Answer], None]
Origin = Callable[[Request], Answer]


def untouched(wire: Wire, answer: Answer) -> None:
    wire.send(answer.head + answer.body)


def reset_at_once(wire: Wire, answer: Answer) -> None:
    """A reset before the first byte of an answer."""
    wire.reset()


def cut(size: int, *, reset: bool = False) -> Fault:
    """`size` bytes of the body, then a FIN or a reset."""

    def fault(wire: Wire, answer: Answer) -> None:
        wire.send(answer.head + answer.body[:size])
        if reset:
            wire.reset()

    return fault


def without_length(size: int) -> Fault:
    """`size` bytes of the body, and nothing that tells how many there should be."""

    def fault(wire: Wire, answer: Answer) -> None:
        headers = {name: text for name, text in answer.headers.items() if name.lower() != "content-length"}
        wire.send(replace(answer, headers=headers).head + answer.body[:size])

    return fault


def stall(size: int | None = None) -> Fault:
    """Silence after `size` bytes of the body; without a size before the first byte of an answer."""

    def fault(wire: Wire, answer: Answer) -> None:
        wire.send(b"" if size is None else answer.head + answer.body[:size])
        wire.pause()

    return fault


def held(until: threading.Event) -> Fault:
    """The whole answer, once `until` is set."""

    def fault(wire: Wire, answer: Answer) -> None:
        until.wait(60)
        untouched(wire, answer)

    return fault


def drip(seconds: float) -> Fault:
    """The body byte by byte, so many seconds apart: never silent for long, and never done."""

    def fault(wire: Wire, answer: Answer) -> None:
        wire.send(answer.head)
        for byte in answer.body:
            wire.send(bytes([byte]))
            if wire.pause(seconds):
                return

    return fault


def with_headers(**changed: str | None) -> Fault:
    """Other headers, None for those left out; `_` in a name stands for `-`."""
    headers = {name.replace("_", "-").lower(): text for name, text in changed.items()}

    def fault(wire: Wire, answer: Answer) -> None:
        merged = {name.lower(): text for name, text in answer.headers.items()} | headers
        untouched(wire, replace(answer, headers={n: v for n, v in merged.items() if v is not None}))

    return fault


def one_bit_flipped(wire: Wire, answer: Answer) -> None:
    """The body with its last bit turned over: S3's checksum tells, and nothing else."""
    untouched(wire, replace(answer, body=answer.body[:-1] + bytes([answer.body[-1] ^ 1])))


def answering(status: int, code: str = "", body: bytes | None = None, **headers: str) -> Fault:
    """Another answer: an `<Error>` of this code, or this body."""
    text = f"<Error><Code>{code}</Code><Message>scripted</Message></Error>".encode() if body is None else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    other = Answer(
        status, {"Content-Length": str(len(text)), "Content-Type": "application/xml", **named}, text
    )
    return lambda wire, _: untouched(wire, other)


@dataclass
class FaultyAws:
    """Passes requests to `origin`; an operation's answers meet its `faults` in turn, then `ever` or none."""

    origin: Origin
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    ever: dict[str, Fault] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    url: str = ""

    def script(self, operation: str, *faults: Fault) -> None:
        """These faults, in turn, for the next answers to an operation (as AWS names it)."""
        self.faults[operation] = list(faults)

    def heal(self) -> None:
        """No more faults."""
        self.faults.clear()
        self.ever.clear()

    def asked(self, operation: str) -> list[Request]:
        """The requests for one operation."""
        return [request for request in self.requests if request.operation == operation]

    def client(self, **config: float) -> S3Client:
        """A client of this S3, with KCX's own settings but for `config`."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="eu-central-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=CONFIG.merge(Config(**config)),
        )

    def serve(self, request: Request, wire: Wire) -> None:
        """One request."""
        self.requests.append(request)
        waiting = self.faults.get(request.operation)
        fault = waiting.pop(0) if waiting else self.ever.get(request.operation, untouched)
        fault(wire, self.origin(request))


@contextmanager
def serving(origin: Origin) -> Iterator[FaultyAws]:
    """Serve `origin` on loopback; every wire ends with the context."""
    faulty = FaultyAws(origin)
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            size = int(self.headers.get("Content-Length", "0"))
            request = Request(
                _operation(self.command, self.path),
                self.command,
                self.path,
                dict(self.headers),
                self.rfile.read(size),
            )
            faulty.serve(request, Wire(self.connection, ended))
            self.close_connection = True

        do_GET = do_HEAD = do_POST = handle_one  # noqa: N815  # the names http.server calls

        def log_message(self, *_: object) -> None:
            pass

    with _Server(("127.0.0.1", 0), Handler) as server:
        faulty.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield faulty
        finally:
            ended.set()
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    """Says nothing of those who hang up while it sends; closes plainly, so that a reset stays a reset."""

    def handle_error(self, *_: object) -> None:
        pass

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        request.close()


def server_at(url: str) -> Origin:
    """The server there, such as the simulated AWS."""

    def ask(request: Request) -> Answer:
        connection = HTTPConnection(str(urlsplit(url).hostname), urlsplit(url).port)
        connection.request(request.method, request.target, request.body, request.headers)
        got = connection.getresponse()
        body = got.read()
        connection.close()
        hop_by_hop = {"connection", "transfer-encoding", "content-length"}
        headers = {name: text for name, text in got.getheaders() if name.lower() not in hop_by_hop}
        length = got.getheader("Content-Length") if request.method == "HEAD" else str(len(body))
        return Answer(got.status, headers | ({"Content-Length": length} if length else {}), body)

    return ask


@dataclass
class OneObject:
    """An S3 of one object, which any key names."""

    body: bytes
    etag: str = '"v1"'
    headers: dict[str, str] = field(default_factory=dict)

    def __call__(self, request: Request) -> Answer:
        if request.headers["If-Match"] != self.etag:
            refusal = b"<Error><Code>PreconditionFailed</Code></Error>"
            return Answer(412, {"Content-Length": str(len(refusal))}, refusal)
        asked = request.headers.get("Range")
        first, last = _range(asked, len(self.body))
        body = self.body[first : last + 1]
        headers = {"ETag": self.etag, "Content-Length": str(len(body))}
        if asked is None:
            return Answer(200, headers | self.headers, body)
        return Answer(206, headers | {"Content-Range": f"bytes {first}-{last}/{len(self.body)}"}, body)


def _range(header: str | None, size: int) -> tuple[int, int]:
    first, _, last = (header or "bytes=0-").removeprefix("bytes=").partition("-")
    return int(first), int(last) if last else size - 1


def _operation(method: str, target: str) -> str:
    if method == "POST":
        return "AssumeRole"
    if method == "GET" and "list-type=2" in target:
        return "ListObjectsV2"
    if method == "GET" and target.partition("?")[0] == "/":
        return "ListBuckets"
    return {"GET": "GetObject", "HEAD": "HeadObject"}[method]
