#!/usr/bin/env python
"""Entry point of every command: the services run before Django reads its settings."""

import os
import sys

from django.core.management import execute_from_command_line

from portal import embedded

WITHOUT_SERVICES = {"help", "check", "version", "makemessages", "compilemessages", "collectstatic", "diffsettings", "findstatic"}


def needs_services(arguments: list[str]) -> bool:
    """Whether this call talks to PostgreSQL or Redis."""
    asks_for_help = not arguments or bool({"-h", "--help", "--version"} & set(arguments))
    return not asks_for_help and arguments[0] not in WITHOUT_SERVICES


def main() -> None:
    """Runs one command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    os.environ.setdefault("NUMBA_CACHE_DIR", str(embedded.home() / "numba"))  # before anything imports numba
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        if needs_services(sys.argv[1:]):
            embedded.start()
    except embedded.EmbeddedFault as fault:
        raise SystemExit(str(fault)) from None
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
