"""moto's HTTP server on the loopback address, silent, and gone without a trace when stopped."""

import contextlib
import socket
from threading import Thread
from typing import Any

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import ThreadedWSGIServer

HOST = "127.0.0.1"


class _QuietHandler(MotoRequestHandler):
    """Writes no line per request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


class _Server(ThreadedWSGIServer):
    """Knows its open connections: a client's pool keeps them open, each with a thread that waits."""

    def __init__(self, listener: socket.socket) -> None:
        app = DomainDispatcherApplication(create_backend_app)
        super().__init__(HOST, listener.getsockname()[1], app, handler=_QuietHandler, fd=listener.fileno())
        self._connections: dict[Any, Thread] = {}

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        self._connections[request] = thread
        thread.start()

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self._connections.pop(request, None)

    def drop_connections(self) -> None:
        for connection, thread in list(self._connections.items()):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join()


class HttpServer:
    """moto behind HTTP in threads of this process; port 0 takes a free one. Raises OSError if it is taken."""

    def __init__(self, port: int = 0) -> None:
        with socket.create_server((HOST, port)) as listener:
            self._server = _Server(listener)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._server.port}"

    def stop(self) -> None:
        """Close the socket and every connection, and wait for every thread."""
        self._server.shutdown()
        self._thread.join()
        self._server.drop_connections()
