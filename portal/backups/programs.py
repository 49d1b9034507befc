"""PostgreSQL's own programs, of a version that fits the server: those of the embedded package, or those on the PATH."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from django.db import connection
from psycopg.conninfo import make_conninfo

from portal.backups.errors import BackupRefused
from portal.embedded import EmbeddedFault, postgres


def server_version() -> int:
    """The server's version, such as 180004."""
    connection.ensure_connection()
    return int(connection.connection.info.server_version)


def program(name: str) -> str:
    """The program's path: of the server's own version, or a newer one. Raises BackupRefused."""
    server = server_version() // 10_000
    found = {_major(path): path for path in _candidates(name)}
    fitting = min((major for major in found if major >= server), default=None)
    if fitting is None:
        raise BackupRefused(f"There is no {name} of PostgreSQL {server} or newer here: install postgresql-client-{server}.")
    return found[fitting]


def _candidates(name: str) -> Iterator[str]:
    on_path = shutil.which(name)
    if on_path:
        yield on_path
    try:
        embedded = postgres.programs() / name
    except EmbeddedFault:
        return
    if embedded.exists():
        yield str(embedded)


def _major(path: str) -> int:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
    found = re.search(r"(\d+)", said)
    return int(found[1]) if found else 0


def address(database: str) -> str:
    """How a program reaches this database of the server in use; without the password."""
    connection.ensure_connection()
    return make_conninfo(connection.connection.info.dsn, dbname=database, options="", application_name="vouch backup")


def environment() -> dict[str, str]:
    """The password goes in the environment, which other users cannot read."""
    password = str(connection.settings_dict["PASSWORD"])
    return {**os.environ, **({"PGPASSWORD": password} if password else {})}


@contextmanager
def output_of(command: Sequence[str]) -> Iterator[IO[bytes]]:
    """What the program writes, as it comes. Raises BackupRefused with its last line when it fails."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as process:  # noqa: S603
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            yield process.stdout
        except BaseException:
            process.kill()
            raise
        said = process.stderr.read().decode(errors="replace")
        if process.wait() != 0:
            raise refused(command, said)


def run(command: Sequence[str]) -> None:
    """Raises BackupRefused with its last line when it fails."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=environment())  # noqa: S603
    if done.returncode != 0:
        raise refused(command, done.stderr)


def refused(command: Sequence[str], said: str) -> BackupRefused:
    """What the program said, as a refusal."""
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["it said nothing"]
    return BackupRefused(f"{Path(command[0]).name} failed: {next((one for one in lines if 'error' in one), lines[-1])}")
