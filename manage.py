#!/usr/bin/env python
"""Entry point of every command: the services run before Django reads its settings."""

import os
import sys
from pathlib import Path

OWN_PYTHON = Path(__file__).resolve().parent / ".venv" / "bin" / "python"

if sys.prefix == sys.base_prefix and OWN_PYTHON.exists():  # the system's Python: go on with the packages that make has installed
    os.execv(OWN_PYTHON, [str(OWN_PYTHON), *sys.argv])  # nosec B606 # noqa: S606 - no shell is wanted

try:
    from django.core.management import execute_from_command_line
except ModuleNotFoundError:
    raise SystemExit("The packages are not installed yet: `make demo`, `make up` or `make test` does it.") from None

from portal import embedded  # noqa: E402 - after the right Python was found

WITHOUT_SERVICES = {"help", "check", "version", "makemessages", "compilemessages", "collectstatic", "diffsettings", "findstatic"}

NOT_HERE = {
    "`manage.py up` runs it.": "runserver testserver",
    "`manage.py create_user SLUG EMAIL --role ROLE` makes a person.": "createsuperuser create_tenant_superuser",
    "people change their password in the portal.": "changepassword",
    "`manage.py create_partner SLUG ...` makes a partner.": "create_tenant clone_tenant create_missing_schemas",
    "`manage.py migrate` brings every schema up to date.": "migrate_schemas",
    "a partner and its host stay, because its record has to.": "delete_tenant rename_schema create_domain delete_domain",
    "the record can only grow.": "flush sqlflush",
    "commands name the partner as their first word.": "tenant_command all_tenants_command",
    "static files need no collecting.": "collectstatic_schemas",
}


def needs_services(arguments: list[str]) -> bool:
    """Whether this call talks to PostgreSQL or Redis."""
    asks_for_help = not arguments or bool({"-h", "--help", "--version"} & set(arguments))
    return not asks_for_help and arguments[0] not in WITHOUT_SERVICES


def main() -> None:
    """Runs one command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    os.environ.setdefault("NUMBA_CACHE_DIR", str(embedded.home() / "numba"))  # before anything imports numba
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.umask(0o077)  # definitions, tables, results and logs are for whoever runs this, and for nobody else on the machine
    command = next(iter(sys.argv[1:]), "")
    for sentence, names in NOT_HERE.items():
        if command in names.split():
            raise SystemExit(f"`{command}` is not for this portal: {sentence}")
    try:
        if needs_services(sys.argv[1:]) and embedded.attempt() and command != "doctor":  # the doctor tells of them in its own way
            raise SystemExit("\n".join(str(fault) for fault in embedded.met))
        execute_from_command_line(sys.argv)
    except embedded.EmbeddedFault as fault:
        raise SystemExit(str(fault)) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
