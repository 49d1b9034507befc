"""`manage.py replay SLUG`: stored decisions are computed again and compared bit for bit."""

import time
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from audit.actions import Action
from audit.services import record
from partners.console import PartnerCommand, Result
from partners.models import Partner
from scoring.services.replay import Replay, replay_decisions

_SHOWN_AT_MOST = 20


class Command(PartnerCommand):
    help = "Recomputes stored decisions from their inputs, bundle and policy and compares every number and reason bit for bit."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--sample", type=_positive, metavar="N", help="replay N decisions drawn at random instead of all")

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        began = time.monotonic()
        found = Replay()
        for found in replay_decisions(sample=options["sample"]):
            self.progress(f"{found.checked} replayed, {len(found.differences)} differences")
        seconds = round(time.monotonic() - began, 2)
        assert partner is not None
        counts = {
            "checked": found.checked,
            "identical": found.identical,
            "erased": len(found.erased),
            "differences": len(found.differences),
        }
        record(action=Action.DECISIONS_REPLAYED, actor=self.actor, object_kind="partner", object_id=partner.slug, detail=counts)
        return Result({**found.as_dict(), "seconds": seconds}, *_lines(found, seconds), succeeded=found.holds)


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return number


def _lines(found: Replay, seconds: float) -> list[str]:
    lines = [f"{found.identical} of {found.checked} decisions came out again bit for bit ({seconds} s)."]
    if found.erased:
        lines.append(f"{len(found.erased)} belong to erased applicants: only their record could be checked.")
        under = list(found.erased_under.items())
        lines += [f"{decision_id}: erased under {what}" for decision_id, what in under[:_SHOWN_AT_MOST]]
    lines += [f"{d.decision_id}: {d.what} was {d.stored}, is {d.recomputed}" for d in found.differences[:_SHOWN_AT_MOST]]
    if len(found.differences) > _SHOWN_AT_MOST:
        lines.append(f"... and {len(found.differences) - _SHOWN_AT_MOST} more differences (--json names all).")
    return lines
