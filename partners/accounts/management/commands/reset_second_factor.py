"""`manage.py reset_second_factor`: for an administrator who lost theirs, and whom nobody else can help."""

from argparse import ArgumentParser
from typing import Any

from partners.accounts.errors import UserUnknown
from partners.accounts.models import User
from partners.accounts.second_factor import reset_factors
from partners.console import PartnerCommand, Result
from partners.models import Partner


class Command(PartnerCommand):
    """`manage.py reset_second_factor SLUG EMAIL`."""

    help = "Remove a person's second factor; they are signed out, and set up another at the next sign-in."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", metavar="EMAIL")

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        """Prints who sets one up next."""
        user = User.objects.filter(email=options["email"].strip().lower()).first()
        if user is None:
            raise UserUnknown
        reset_factors(user_id=user.id, actor=self.actor)
        return Result({"id": str(user.id), "email": user.email}, f"{user.email} sets up a second factor at the next sign-in.")
