"""`manage.py operator_link`: a way back in for an operator who does not know the password any more."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.utils.formats import date_format

from partners.accounts.links import hand_over_reset
from partners.accounts.operators import operator
from partners.accounts.second_factor import reset_factors
from partners.console import PartnerCommand, Result
from partners.models import Partner
from partners.tenancy import public_context


class Command(PartnerCommand):
    """`manage.py operator_link EMAIL`."""

    help = "Make a link by which an operator chooses another password, once, within 30 minutes. The second factor stays as it is."
    takes_existing_partner = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        """No slug: an operator is nobody's."""
        usual = f"https://{settings.BASE_DOMAIN}" if settings.TLS else f"http://{settings.BASE_DOMAIN}:8000"
        parser.add_argument("email", metavar="EMAIL")
        parser.add_argument("--lost-factor", action="store_true", help="the app or passkey is lost too: another is set up at the sign-in")
        parser.add_argument("--origin", default=usual, metavar="URL", help=f"where the public host is reached ({usual})")
        parser.add_argument("--json", action="store_true", help="print one JSON object on stdout and nothing else")

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        """Prints the link."""
        with public_context():
            user = operator(options["email"])
            if options["lost_factor"]:
                reset_factors(user_id=user.id, actor=self.actor)
            made = hand_over_reset(user=user, actor=self.actor)
        link = f"{options['origin'].rstrip('/')}/link/{made.token}"
        until = date_format(made.expires_at, "H:i")
        values = {"email": user.email, "link": link, "expires_at": made.expires_at}
        return Result(values, link, f"Hand it to {user.email}, and to nobody else. It works once, until {until} UTC.")
