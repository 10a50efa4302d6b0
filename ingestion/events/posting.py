"""One POST to a checked address: no second resolution, no redirect, no proxy, and an end to patience."""

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from threading import Timer

from ingestion.events.errors import WebhookCertificate, WebhookUnanswered
from ingestion.events.targets import Target, addresses_of

CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 10.0
# The whole exchange: a receiver that sends a byte now and then keeps no worker.
WHOLE_SECONDS = 20.0
ANSWER_BYTES = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """What the receiver said: its status, and the beginning of its body."""

    status: int
    text: str


def post(target: Target, headers: Mapping[str, str], body: bytes) -> Answer:
    """Whatever the receiver answers. Raises WebhookAddressRefused, WebhookUnanswered, WebhookCertificate."""
    connection = _Pinned(target, addresses_of(target))
    with _translated(connection), connection.ending_in(WHOLE_SECONDS):
        connection.request("POST", target.path, body, dict(headers))
        response = connection.getresponse()
        text = response.read(ANSWER_BYTES).decode(errors="replace").replace("\0", "\ufffd")
        if connection.timed_out:
            raise TimeoutError  # what is cut off looks like an answer that ends
        return Answer(response.status, text)


class _Pinned(HTTPConnection):
    """A connection to the first address that answers; certificate, SNI and Host are those of the name."""

    def __init__(self, target: Target, addresses: list[str]) -> None:
        super().__init__(target.host, target.port, timeout=SILENCE_SECONDS)
        self.default_port = {"https": 443, "http": 80}[target.scheme]
        self.timed_out = False
        self._addresses = addresses
        self._tls = ssl.create_default_context() if target.scheme == "https" else None

    def connect(self) -> None:
        """Connect to an address, not to the name; the handshake can be cut off like the rest."""
        self.sock = self._first_that_answers()
        self._check_time()
        self.sock.settimeout(SILENCE_SECONDS)
        if self._tls:
            self.sock = self._tls.wrap_socket(
                self.sock, server_hostname=self.host, do_handshake_on_connect=False
            )
            self._check_time()
            self.sock.do_handshake()

    def _check_time(self) -> None:
        """Raises TimeoutError where the time was over before there was this socket, which nobody cut off."""
        if self.timed_out:
            raise TimeoutError

    def _first_that_answers(self) -> socket.socket:
        failed: OSError | None = None
        for address in self._addresses:
            if self.timed_out:
                break
            try:
                return socket.create_connection((address, self.port), CONNECT_SECONDS)
            except OSError as error:
                failed = error
        raise failed or TimeoutError

    @contextmanager
    def ending_in(self, seconds: float) -> Iterator[None]:
        """Whatever goes on inside is cut off after so many seconds; the connection is closed at the end."""
        timer = Timer(seconds, self._cut_off)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            self.close()

    def _cut_off(self) -> None:
        self.timed_out = True
        with suppress(OSError, TypeError):  # there may be no socket yet: None
            # Not SSLSocket's own: it would let the other thread read on without TLS.
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


@contextmanager
def _translated(connection: _Pinned) -> Iterator[None]:
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise WebhookCertificate(f"{connection.host}: {error.verify_message}.") from error
    except (OSError, HTTPException) as error:
        if connection.timed_out or isinstance(error, TimeoutError):
            raise WebhookUnanswered(f"{connection.host} took too long.") from error
        why = getattr(error, "strerror", None) or type(error).__name__
        raise WebhookUnanswered(f"{connection.host} could not be reached: {why}.") from error
