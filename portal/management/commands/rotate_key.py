"""`manage.py rotate_key SLUG wrap|data`: a new key takes the place of the one in use, while the portal works."""

from argparse import ArgumentParser
from typing import Any

from audit.actions import Action
from audit.privacy.holders import keeper
from audit.privacy.rotation import change_wrapping_key, rewrap
from audit.services import record
from partners.console import PartnerCommand, Result
from partners.models import Partner
from scoring.errors import ApplicantUnknown


class Command(PartnerCommand):
    help = "Puts a new key in use and brings what earlier ones wrapped under it. Safe to stop; --resume goes on."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("purpose", choices=("wrap", "data"), help="wrap: what guards applicants' keys; data: one applicant's own key")
        parser.add_argument("--resume", action="store_true", help="make no new wrapping key; only bring the rest under the one in use")
        parser.add_argument("--reference", help="whose data key")

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        if options["purpose"] == "data":
            return self._change_data_key(options["reference"] or "")
        if not options["resume"]:
            change_wrapping_key(actor=self.actor)
        done = rewrap(actor=self.actor, report=lambda so_far: self.progress(f"{so_far} keys wrapped again"))
        return Result({"purpose": "wrap", "rewrapped": done}, f"{done} applicants' keys are under the partner's key in use.")

    def _change_data_key(self, reference: str) -> Result:
        applicant_id = keeper().find(reference)
        if applicant_id is None:
            raise ApplicantUnknown(f"Nobody is known by the reference {reference!r}: name one with --reference.")
        keeper().change_key(applicant_id)
        record(action=Action.APPLICANT_KEY_CHANGED, actor=self.actor, object_kind="applicant", object_id=applicant_id)
        return Result({"purpose": "data", "applicant_id": str(applicant_id)}, "What is sealed about them from now on has a new key.")
