"""`manage.py rotate_key SLUG PURPOSE`: a new key of the partner takes the place of the one in use, while the portal works."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from audit.actions import Action
from audit.privacy.holders import keeper
from audit.privacy.rotation import rewrap
from audit.rotation import PURPOSES, change_key
from audit.services import record
from partners.console import PartnerCommand, Result
from partners.models import Partner
from scoring.errors import ApplicantUnknown


class Command(PartnerCommand):
    help = "Puts a new key in use. Whatever earlier ones sealed or signed stays readable and checkable. Safe to stop; --resume goes on."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        told = "sign: receipts and checkpoints; token: access tokens; wrap: what guards applicants' keys; data: one applicant's own key"
        parser.add_argument("purpose", choices=(*PURPOSES, "data"), help=told)
        parser.add_argument("--resume", action="store_true", help="of wrap: make no new key; only bring the rest under the one in use")
        parser.add_argument("--reference", help="of data: whose key")

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        purpose = options["purpose"]
        if purpose == "data":
            return self._change_data_key(options["reference"] or "")
        ring = None if options["resume"] else change_key(purpose, actor=self.actor)
        if purpose == "wrap":
            done = rewrap(actor=self.actor, report=lambda so_far: self.progress(f"{so_far} keys wrapped again"))
            return Result({"purpose": "wrap", "rewrapped": done}, f"{done} applicants' keys are under the partner's key in use.")
        if ring is None:
            raise CommandError("--resume goes with wrap: a new key for the others is in use at once.")
        values = {"purpose": purpose, "key_id": ring.key_id}
        return Result(values, f"A new key is in use for: {purpose}. Receipts and checkpoints are signed with {ring.key_id}.")

    def _change_data_key(self, reference: str) -> Result:
        applicant_id = keeper().find(reference)
        if applicant_id is None:
            raise ApplicantUnknown(f"Nobody is known by the reference {reference!r}: name one with --reference.")
        keeper().change_key(applicant_id)
        record(action=Action.APPLICANT_KEY_CHANGED, actor=self.actor, object_kind="applicant", object_id=applicant_id)
        return Result({"purpose": "data", "applicant_id": str(applicant_id)}, "What is sealed about them from now on has a new key.")
