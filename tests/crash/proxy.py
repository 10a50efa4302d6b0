"""A TCP proxy whose connections are cut with a reset: those that carry an answer, and the next answers."""

import contextlib
import math
import re
import socket
import struct
from dataclasses import dataclass
from threading import Lock, Thread

RESET_ON_CLOSE = struct.pack("ii", 1, 0)
# Small, so that a body is on its way as long as its reader has not taken it.
BUFFER = 2**15
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(eq=False)
class _Link:
    """One connection through the proxy, and the answer it carries.

    `missing`: its bytes still to come, None before the first. `through`: those let through until it is cut.
    """

    client: socket.socket
    server: socket.socket
    has_body: bool = True
    missing: float | None = None
    through: int | None = None

    def reset(self) -> None:
        with contextlib.suppress(OSError):
            self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            self.client.shutdown(socket.SHUT_RDWR)
        self.close()

    def close(self) -> None:
        self.client.close()
        self.server.close()


class CuttableProxy:
    """Forwards 127.0.0.1:`port` to a port beside it, in threads of this process.

    `hits`: how many answers were cut before their last byte, since `heal`.
    """

    def __init__(self, target_port: int) -> None:
        self._target = target_port
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)  # for each that it accepts
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.port: int = self._listener.getsockname()[1]
        self._answering: set[_Link] = set()
        self._lock = Lock()
        self._next, self._at = 0.0, 0.0
        self.hits = 0
        Thread(target=self._accept, daemon=True).start()

    def cut(self, *, at: float, lasting: bool) -> None:
        """Reset the answers that are under way; where there is none, the next: all, if it is `lasting`.

        `at`: which part of an answer comes through, from 0, none of it, to just below 1.
        """
        with self._lock:
            doomed, self._answering = self._answering, set()
            self.hits += len(doomed)
            self._next, self._at = math.inf if lasting else float(not doomed), at
        for link in doomed:
            link.reset()

    def heal(self) -> None:
        """Cut nothing more, and count anew."""
        with self._lock:
            self._next, self.hits = 0.0, 0

    def close(self) -> None:
        """Take no more connections, and cut those there are."""
        self._listener.close()
        self.cut(at=0, lasting=True)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                link = _Link(client, socket.create_connection(("127.0.0.1", self._target)))
                for forward in (self._ask, self._answer):
                    Thread(target=forward, args=(link,), daemon=True).start()

    def _ask(self, link: _Link) -> None:
        with contextlib.suppress(OSError):
            while data := link.client.recv(BUFFER):
                with self._lock:
                    if link not in self._answering:
                        self._answering.add(link)
                        link.has_body = not data.startswith(b"HEAD ")
                link.server.sendall(data)
            link.server.shutdown(socket.SHUT_WR)

    def _answer(self, link: _Link) -> None:
        with contextlib.suppress(OSError):
            while data := link.server.recv(BUFFER):
                if link.missing is None:
                    self._begin(link, data)
                link.client.sendall(data[: link.through])
                if not self._goes_on(link, len(data)):
                    return
        with self._lock:
            self._answering.discard(link)
        with contextlib.suppress(OSError):
            link.client.shutdown(socket.SHUT_WR)

    def _begin(self, link: _Link, data: bytes) -> None:
        """An answer's first bytes: how long it is, and whether it is one to be cut."""
        head = data.index(b"\r\n\r\n") + 4
        told = LENGTH.search(data[:head])
        body = int(told[1]) if told else math.inf
        link.missing = head + (body if link.has_body else 0)
        with self._lock:
            if self._next:
                self._next -= 1
                link.through = int(self._at * (link.missing if told else head))

    def _goes_on(self, link: _Link, size: int) -> bool:
        """Count bytes of the answer; False once it was cut."""
        if link.through is not None:
            link.through -= size
            if link.through < 0:
                self._hit(link)
                return False
        link.missing = (link.missing or 0) - size
        if link.missing <= 0:
            link.missing = None
            with self._lock:
                self._answering.discard(link)
        return True

    def _hit(self, link: _Link) -> None:
        with self._lock:
            self._answering.discard(link)
            self.hits += 1
        link.reset()
