"""What KCX has in its database now, as PostgreSQL's catalog tells it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

# The beginnings of every name of KCX, Django, django-q2 and django-axes: what else is there is not KCX's.
OURS = "^(api|axes|billing|ingestion|kcx|django|auth)_"

RELATIONS = """
SELECT relname, relkind = 'v', pg_get_userbyid(relowner), ARRAY(
    SELECT attname::text FROM pg_attribute
    WHERE attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum
)
FROM pg_class
WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
    AND relkind IN ('r', 'p', 'v') AND relname ~ %s
ORDER BY relname
"""
ROUTINES = """
SELECT replace(oid::regprocedure::text, ', ', ','), pg_get_userbyid(proowner)
FROM pg_proc
WHERE pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
    AND prokind = 'f' AND proname ~ %s
ORDER BY 1
"""
CHANGEABLE = """
SELECT relname FROM pg_class
WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
    AND relname = ANY (%(tables)s)
    AND (
        pg_has_role(%(role)s, relowner, 'MEMBER')
        OR has_table_privilege(%(role)s, oid, 'UPDATE, DELETE, TRUNCATE, TRIGGER')
        OR has_any_column_privilege(%(role)s, oid, 'UPDATE')
    )
ORDER BY relname
"""
SERVER = """
SELECT current_database(), current_schema(), current_user, rolsuper,
    ARRAY(SELECT rolname::text FROM pg_roles WHERE rolname = ANY (%(names)s)),
    ARRAY(
        SELECT rolname::text FROM pg_roles
        WHERE rolname = ANY (%(names)s) AND pg_has_role(current_user, oid, 'USAGE')
    )
FROM pg_roles WHERE rolname = current_user
"""


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or a view, its owner, and its columns in their order."""

    name: str
    is_view: bool
    owner: str
    columns: Sequence[str]


@dataclass(frozen=True, slots=True)
class Routine:
    """A function, as SQL names it: quoted where needed, with its argument types."""

    signature: str
    owner: str


@dataclass(frozen=True, slots=True)
class Server:
    """The database, the schema of KCX's tables, who is connected, and which of the asked roles exist."""

    database: str
    schema: str
    user: str
    is_superuser: bool
    roles: Sequence[str]
    held: Sequence[str]

    def acts_for(self, role: str) -> bool:
        """May the connected role do what `role` may?"""
        return self.is_superuser or role in self.held


def relations() -> list[Relation]:
    """KCX's tables, partitions and views."""
    return [Relation(*row) for row in _rows(RELATIONS, [OURS])]


def routines() -> list[Routine]:
    """KCX's functions."""
    return [Routine(*row) for row in _rows(ROUTINES, [OURS])]


def changeable(role: str, tables: Sequence[str]) -> list[str]:
    """Those of the tables whose rows the role may change or delete, by whatever right."""
    return [name for (name,) in _rows(CHANGEABLE, {"role": role, "tables": list(tables)})]


def server(roles: Sequence[str]) -> Server:
    """Where we are, and which of `roles` exist."""
    (row,) = _rows(SERVER, {"names": list(roles)})
    return Server(*row)


def _rows(query: str, parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return list(cursor.fetchall())
