"""`manage.py create_operator`: a person who runs Vouch for all partners."""

import sys
from argparse import ArgumentParser
from typing import Any

from partners.accounts.management.commands.create_user import asked_password
from partners.accounts.operators import create_operator
from partners.console import PartnerCommand, Result
from partners.models import Partner


class Command(PartnerCommand):
    """`manage.py create_operator EMAIL`."""

    help = "Make an operator, who signs in on the public host. The password is asked for, or read from stdin."
    takes_existing_partner = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """No slug: an operator is nobody's."""
        parser.add_argument("email", metavar="EMAIL")
        parser.add_argument("--name", default="", help="as colleagues read it; without it the part before the @")
        parser.add_argument("--password-stdin", action="store_true", help="read the password from the first line of stdin")
        parser.add_argument("--json", action="store_true", help="print one JSON object on stdout and nothing else")

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        """Prints where to sign in."""
        password = sys.stdin.readline().rstrip("\r\n") if options["password_stdin"] else asked_password()
        user = create_operator(email=options["email"], name=options["name"], password=password, actor=self.actor)
        return Result({"id": str(user.id), "email": user.email}, f"{user.email} may sign in on the public host, at /admin/.")
