"""What stands behind a database that refuses, and the fix for it."""

import re
from collections.abc import Iterator

from django.db import InterfaceError, OperationalError, ProgrammingError, connection
from django.db.migrations.exceptions import MigrationSchemaMissing

REFUSALS = (OperationalError, ProgrammingError, InterfaceError, MigrationSchemaMissing)

# PostgreSQL tells a client that it does not let in nothing but words, so words are looked for; the first that fits counts.
_FIXES = (
    (r"cannot enter ", "Run `manage.py migrate`."),
    (r"password authentication failed|no password supplied",
     "Correct login and password in DATABASE_URL; special characters are percent-encoded (@ as %40, / as %2F)."),
    (r'role "[^"]*" does not exist|is not permitted to log in', "Make it: CREATE ROLE {login} LOGIN NOINHERIT CREATEROLE PASSWORD '...';"),
    (r"pg_hba\.conf|authentication failed", "Let this login in from this machine: see pg_hba.conf of the server."),
    (r'database "[^"]*" does not exist', "Make it: CREATE DATABASE {database} OWNER {login}; or correct the name in DATABASE_URL."),
    (r"resolve host|translate host name", "Correct the host in DATABASE_URL."),
    (r"permission denied to create role", "Let the login make roles: ALTER ROLE {login} CREATEROLE;"),
    (r"permission denied to grant role", "The roles were made by another login: use that one in DATABASE_URL."),
    (r"permission denied for (schema|database)", "Give the login its database: ALTER DATABASE {database} OWNER TO {login};"),
    (r"too many clients|connection slots", "Raise max_connections, or run fewer workers."),
    (r"No space left", "Free some space where PostgreSQL keeps its data."),
    (r"invalid connection option|invalid connection URI", "Correct the parameters after the ? in DATABASE_URL."),
    (r"connection|timeout|timed out", "Start PostgreSQL, or correct host and port in DATABASE_URL."),
)  # fmt: skip


def what(error: BaseException) -> str:
    """The refusal in one line."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def fix(error: BaseException) -> str:
    """What to do about it."""
    said = " ".join(_said(error))
    found = next((fix for pattern, fix in _FIXES if re.search(pattern, said)), "`manage.py doctor` looks for the cause.")
    names = connection.settings_dict
    return found.format(database=names["NAME"], login=names["USER"])


def _said(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield str(error)
        error = error.__cause__
