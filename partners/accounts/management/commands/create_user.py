"""`manage.py create_user`: a person who works for the partner."""

import getpass
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from partners.accounts.roles import Role
from partners.accounts.services import create_user
from partners.console import PartnerCommand, Result, needed
from partners.models import Partner
from partners.zones import zone_of


class Command(PartnerCommand):
    """`manage.py create_user SLUG EMAIL --role ROLE`."""

    help = "Make a user of a partner. The password is asked for, or read from stdin."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", metavar="EMAIL")
        needed(parser).add_argument("--role", required=True, choices=Role.values, metavar="ROLE", help=", ".join(Role.values))
        parser.add_argument("--name", default="", help="as colleagues read it; without it the part before the @")
        parser.add_argument("--password-stdin", action="store_true", help="read the password from the first line of stdin")

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        """Prints where to sign in."""
        password = sys.stdin.readline().rstrip("\r\n") if options["password_stdin"] else asked_password()
        assert partner is not None
        user = create_user(
            email=options["email"], role=options["role"], name=options["name"], password=password, actor=self.actor,
            time_zone=zone_of(partner.country),
        )  # fmt: skip
        values = {"id": str(user.id), "email": user.email, "name": user.name, "role": user.role}
        return Result(values, f"{user.email} may sign in as {Role(user.role).label}.")


def asked_password() -> str:
    """What was typed twice. Raises CommandError without a terminal, or where the two differ."""
    if not sys.stdin.isatty():
        raise CommandError("There is no terminal to ask for a password: pipe it in and add --password-stdin.")
    password = getpass.getpass("Password: ")
    if password != getpass.getpass("Again: "):
        raise CommandError("The two passwords differ; nothing was made.")
    return password
