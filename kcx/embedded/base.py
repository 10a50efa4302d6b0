"""Django's PostgreSQL backend, with a server that starts on the first connection."""

from pathlib import Path
from typing import Any

from django.db.backends.postgresql import base

from kcx.embedded import server


class DatabaseWrapper(base.DatabaseWrapper):
    """`HOST` is the folder of the embedded server's data."""

    def get_connection_params(self) -> dict[str, Any]:
        """As Django's, pointed at the embedded server's socket; starts it where it is not running."""
        running = server.running(Path(self.settings_dict["HOST"]))
        params: dict[str, Any] = super().get_connection_params()
        return {**params, "host": server.socket_folder(running), "user": server.USER}
