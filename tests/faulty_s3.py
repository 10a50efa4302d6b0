"""An S3 of one object that breaks as scripted: what moto cannot do."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
from mypy_boto3_s3 import S3Client

from ingestion.pipeline.assume_role import CONFIG


@dataclass
class FaultyS3:
    """`cuts` are how many bytes each answer sends before it breaks off; None, or no entry: all of them."""

    body: bytes
    etag: str = '"v1"'
    cuts: list[int | None] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def client(self) -> S3Client:
        """A client of this S3, with KCX's own settings."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="eu-central-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=CONFIG,
        )

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """One GET."""
        self.requests.append(dict(handler.headers))
        if handler.headers["If-Match"] != self.etag:
            return self._send(handler, 412, b"<Error><Code>PreconditionFailed</Code></Error>", {})
        first, last = _range(handler.headers.get("Range"), len(self.body))
        headers = {"ETag": self.etag, **self.headers}
        if "Range" in handler.headers:
            headers = {"ETag": self.etag, "Content-Range": f"bytes {first}-{last}/{len(self.body)}"}
        self._send(handler, 206 if "Range" in handler.headers else 200, self.body[first : last + 1], headers)
        return None

    def _send(
        self, handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]
    ) -> None:
        cut = self.cuts.pop(0) if self.cuts else None
        handler.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body if cut is None else body[:cut])
        handler.close_connection = True


@contextmanager
def serving(origin: FaultyS3) -> Iterator[FaultyS3]:
    """Serve the origin on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            origin.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    origin.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield origin
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _range(header: str | None, size: int) -> tuple[int, int]:
    first, _, last = (header or "bytes=0-").removeprefix("bytes=").partition("-")
    return int(first), int(last) if last else size - 1
