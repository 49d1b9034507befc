"""The database backend: a connection is a partner, the public part or the owner, set in one message and failing closed."""

from typing import Any, Literal

import psycopg
from django.db import OperationalError
from django.db.backends.base.base import NO_DB_ALIAS
from django_tenants.postgresql_backend import base as django_tenants_base
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, TransactionStatus

from partners.postgres.roles import PUBLIC, role_name, roles_of

Acting = Literal["partner", "owner", "login"]    # "partner" stands for the public state too: whichever schema is set


class DatabaseWrapper(django_tenants_base.DatabaseWrapper):    # type: ignore[misc]
    """django-tenants' wrapper that sets search_path and role together.

    The search path is the schema alone, so a missing table is an error and never a row of public. The library's own switch swallows
    a failure and lets the caller's statement run as whoever came before; here a failure raises. What the server knows is forgotten
    with every close, rollback and rolled-back savepoint, because PostgreSQL forgets it then too."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self.acting: Acting = "partner"
        self.on_server: tuple[str, Acting] | None = None
        super().__init__(*arguments, **named)
        if self.alias == NO_DB_ALIAS:    # creating or dropping a database: there are no roles to take
            self.acting = "login"

    def _handle_search_path(self, cursor: Any = None) -> None:
        """The library calls this before every cursor."""
        wanted = (self.schema_name or PUBLIC, self.acting)
        if self.on_server == wanted:
            return
        pgconn = self.connection.pgconn
        if pgconn.transaction_status == TransactionStatus.INERROR:
            return    # only ROLLBACK can follow, and that forgets
        self.forget()
        result = pgconn.exec_(self._switch(*wanted))
        if result.status != ExecStatus.COMMAND_OK:
            message = f"cannot enter {wanted[0]} as {wanted[1]}; `manage.py migrate` makes what is missing"
            raise OperationalError(message) from error_from_result(result)
        self.on_server = wanted
        self.search_path_set_schemas = [wanted[0]]

    def entered(self) -> psycopg.Connection[Any]:
        """The driver's connection in the state that is wanted: what making a cursor would see to, without one."""
        self.validate_thread_sharing()
        self.close_if_health_check_failed()
        self.ensure_connection()
        with self.wrap_database_errors:
            self._handle_search_path()
        connection: psycopg.Connection[Any] = self.connection
        return connection

    def _switch(self, schema: str, acting: Acting) -> bytes:
        django_tenants_base._check_schema_name(schema)
        path = f'SET search_path = "{schema}"'
        if acting == "login":
            return f"{path}; RESET ROLE".encode()
        role = role_name(roles_of(self.settings_dict), "owner" if acting == "owner" else schema)
        quoted = role.replace('"', '""')
        return f'{path}; SET ROLE "{quoted}"'.encode()

    def forget(self) -> None:
        """Nothing is known any more of what the server has set."""
        self.on_server = None
        self.search_path_set_schemas = None  # type: ignore[assignment] # the library takes None for "not set" too

    def init_connection_state(self) -> None:
        """A new connection begins with nothing set."""
        self.forget()
        super().init_connection_state()

    def close(self) -> None:
        """Closing forgets."""
        try:
            super().close()
        finally:
            self.forget()

    def rollback(self) -> None:
        """A rolled-back transaction takes its SET with it."""
        try:
            super().rollback()
        finally:
            self.forget()

    def savepoint_rollback(self, sid: str) -> None:
        """So does a rolled-back savepoint."""
        try:
            super().savepoint_rollback(sid)
        finally:
            self.forget()
