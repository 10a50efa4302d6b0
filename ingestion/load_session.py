"""The database session of a load: no timeout of the server's may end it, and a vanished host must free it."""

from django.db import connection

SESSION = """
SELECT set_config(wanted.name, wanted.value, true)
FROM (VALUES
    ('statement_timeout', '0'),
    ('transaction_timeout', '0'),
    ('idle_in_transaction_session_timeout', '15min'),
    ('tcp_keepalives_idle', '30'),
    ('tcp_keepalives_interval', '10'),
    ('tcp_keepalives_count', '3'),
    ('tcp_user_timeout', '60000')
) AS wanted (name, value)
    JOIN pg_settings ON pg_settings.name = wanted.name
"""


def prepare_for_load() -> None:
    """Set the session up until the transaction ends.

    A COPY may take hours, so no statement is timed. Where the worker hangs between two statements, or its
    host vanishes, the server ends the session by itself, and frees the lock of the file.
    """
    with connection.cursor() as cursor:
        cursor.execute(SESSION)
