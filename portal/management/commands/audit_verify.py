"""`manage.py audit_verify SLUG`: the whole record of a partner is checked, event by event, decision by decision."""

import time
from typing import Any

from audit.verification import check_record, record_verification
from audit.verify import Wrong
from partners.console import PartnerCommand, Result
from partners.models import Partner


class Command(PartnerCommand):
    takes_operators = True
    help = "Checks every event, decision and checkpoint of the record against what was signed and published, as verify.py does."

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        began = time.monotonic()
        try:
            found = check_record(lambda events: self.progress(f"{events} events"))
        except Wrong as wrong:
            record_verification(wrong, actor=self.actor)
            values = {"holds": False, "problem": wrong.detail, "position": wrong.position}
            return Result(values, f"WRONG. {wrong.detail}", succeeded=False)
        record_verification(found, actor=self.actor)
        seconds = round(time.monotonic() - began, 2)
        told = {"events": found.events, "decisions": found.decisions, "checkpoints": found.checkpoints}
        return Result({"holds": True, **told, "seconds": seconds}, f"{found} ({seconds} s)")
