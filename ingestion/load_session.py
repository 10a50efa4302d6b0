"""The database session of a load: no timeout of the server's may end it while it works."""

import json

from django.conf import settings
from django.db import connection

# A server that does not know one of them (transaction_timeout came with PostgreSQL 17) is not asked for it.
SESSION = """
SELECT set_config(wanted.name, wanted.value, true)
FROM json_each_text(%s) AS wanted (name, value) JOIN pg_settings ON pg_settings.name = wanted.name
"""
# Between two statements of a load, AWS is waited for no longer than KCX_AWS_SECONDS, but for a first batch
# that comes slowly; all other reading, and what is read again for the digest, is inside the COPY.
WORK_SECONDS = 60
# How long a load that has its rows waits for the commit of another: hours of COPY are behind it, and a
# synchronous standby or a disk that stalls may hold a commit up for longer than a session waits for a lock
# otherwise.
COMMIT_PATIENCE = "60s"


def wanted() -> str:
    """The settings of a load's session, as JSON for SESSION; docs/adr/0011 says why so long an idleness."""
    idle = int(settings.KCX_AWS_SECONDS) + WORK_SECONDS
    return json.dumps(
        {
            "statement_timeout": "0",
            "transaction_timeout": "0",
            "idle_in_transaction_session_timeout": f"{idle}s",
        }
    )


def prepare_for_reading() -> None:
    """As `prepare_for_load`, for a comparison: whoever reads may wait for S3 between two statements."""
    prepare_for_load()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '15min'")


def prepare_for_load() -> None:
    """Set the session up until the transaction ends.

    A COPY may take hours, so no statement is timed. Where the worker hangs between two statements, the server
    ends the session by itself, and frees the lock of the file; as it does in any session whose host vanishes.
    """
    with connection.cursor() as cursor:
        cursor.execute(SESSION, [wanted()])


def prepare_to_finish() -> None:
    """From the end of the COPY until the transaction ends, wait as long for a lock as a slow commit takes."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = %s", [COMMIT_PATIENCE])
