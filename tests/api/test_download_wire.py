"""Downloads as they go over the wire: whole, cut, or not begun."""

import socket
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.test import RequestFactory

from ingestion.models import SourceFile
from tests.api.asking import API, of_all
from tests.builders import ClientUnderTest, csv_gz
from tests.processes import web

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

KEY = "exports/a.csv.gz"


@pytest.fixture
def address(client_under_test: ClientUnderTest) -> str:
    client_under_test.account.put_object(KEY, csv_gz("id,name\n1,one\n2,two\n"))
    client_under_test.ingest()
    return f"{API}files/{client_under_test.file(KEY).pk}/download/"


def over_the_wire(port: int, address: str, version: str) -> tuple[bytes, bytes]:
    """The head and the body of the answer, byte for byte until the server closes."""
    lines = [
        f"GET {address} HTTP/{version}",
        f"Host: 127.0.0.1:{port}",
        "X-Forwarded-Proto: https",
        f"Authorization: Token {of_all().secret}",
        "Connection: close",
    ]
    with socket.create_connection(("127.0.0.1", port), 60) as wire:
        wire.sendall("\r\n".join([*lines, "", ""]).encode())
        head, _, body = b"".join(iter(lambda: wire.recv(2**16), b"")).partition(b"\r\n\r\n")
    return head, body


def test_a_cut_download_is_told_from_a_whole_one_on_the_wire(address: str) -> None:
    with web() as port:
        head, body = over_the_wire(port, address, "1.1")
        assert b"Transfer-Encoding: chunked" in head
        assert b"2,two" in body
        assert body.endswith(b"0\r\n\r\n")
        SourceFile.objects.update(row_count=3)
        head, body = over_the_wire(port, address, "1.1")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert b"id,name" in body
        assert not body.endswith(b"0\r\n\r\n")
        head, body = over_the_wire(port, address, "1.0")
        assert b" 505 " in head.splitlines()[0]
        assert b"application/problem+json" in head
        assert b"proxy_http_version 1.1" in body


def by_wsgi(address: str, method: str, **environ: str) -> tuple[str, dict[str, str], bytes]:
    """What the application itself answers, whatever a server does with it."""
    said: dict[str, Any] = {}
    request = RequestFactory().generic(
        method, address, secure=True, headers={"Authorization": f"Token {of_all().secret}"}
    )

    def start(status: str, headers: list[tuple[str, str]], _error: object = None) -> None:
        said.update(status=status, headers=dict(headers))

    answer = WSGIHandler()({**request.environ, **environ}, start)
    body = b"".join(answer)
    answer.close()
    return said["status"], said["headers"], body


def test_head_answers_the_headers_and_reads_no_rows(address: str) -> None:
    _, of_get, rows = by_wsgi(address, "GET")
    assert rows.endswith(b"2,two\n")
    status, of_head, body = by_wsgi(address, "HEAD")
    for headers in (of_get, of_head):
        headers.pop("Link")  # is signed anew each second
    assert (status, of_head, body) == ("200 OK", of_get, b"")


def test_http_1_0_is_refused_whoever_serves(address: str) -> None:
    status, headers, _ = by_wsgi(address, "GET", SERVER_PROTOCOL="HTTP/1.0")
    assert (status, headers["Content-Type"]) == ("505 HTTP Version Not Supported", "application/problem+json")
