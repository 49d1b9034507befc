"""`manage.py create_sandbox`: a partner's own place for trials, with its products as they are now."""

from typing import Any

from django.conf import settings

from partners.console import PartnerCommand, Result
from partners.models import Partner
from partners.sandboxes import refresh_sandbox


class Command(PartnerCommand):
    """`manage.py create_sandbox SLUG`."""

    help = "Make the sandbox of a partner, or bring the products of the one it has up to date. Its applicants and keys stay."

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        """Prints the host and what comes next."""
        sandbox = refresh_sandbox(self.partner, actor=self.actor)
        host = f"{sandbox.slug}.{settings.BASE_DOMAIN}"
        values = {"slug": sandbox.slug, "sandbox_of": self.partner.slug, "host": host}
        answers = f"The sandbox of {self.partner.name} answers on {host}."
        return Result(values, answers, f"Next: manage.py create_api_key {sandbox.slug} --name trials")
