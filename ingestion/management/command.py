"""What all of KCX's commands have in common: what is wrong with the database is told in a sentence."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, ProgrammingError
from psycopg.errors import UndefinedColumn, UndefinedFunction, UndefinedTable

from ingestion.checks import KCX


class KcxCommand(BaseCommand):
    """A command of KCX's. Exit status 1 where the database cannot be reached, or is of another version."""

    # Those of Django look at the pages, which no command serves: `manage.py check` and migrate run them.
    requires_system_checks = (KCX,)

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command. Raises CommandError."""
        try:
            return super().execute(*args, **options)
        except ProgrammingError as error:
            cause = error.__cause__
            if not isinstance(cause, (UndefinedTable, UndefinedColumn, UndefinedFunction)):
                raise
            said = cause.diag.message_primary
            raise CommandError(
                f"The database is not migrated to this version of KCX: run `manage.py migrate` ({said})."
            ) from error
        except OperationalError as error:
            raise CommandError(f"PostgreSQL cannot be asked: {error}") from error
        except ExceptionGroup as errors:  # of publishing, which tries every delivery
            if errors.split(OperationalError)[1]:
                raise
            raise CommandError(f"PostgreSQL cannot be asked: {errors}") from errors
