"""`manage.py work_on_job`: one more process for a job that is under way."""

import time
import uuid
from argparse import ArgumentParser
from typing import Any

from partners.console import PartnerCommand, Result
from partners.models import Partner
from scoring.errors import JobUnknown
from scoring.models import Job
from scoring.services import jobs
from scoring.services.files import WAIT_SECONDS
from scoring.services.work import work_on


class Command(PartnerCommand):
    """`manage.py work_on_job SLUG JOB`."""

    help = "Work on a job until it is over, beside whoever else does: on this machine or another one that reaches the database."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("job", metavar="JOB", type=uuid.UUID, help="the job's id")

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        """Prints how many parts this process did."""
        job = Job.objects.filter(id=options["job"]).first()
        if job is None:
            raise JobUnknown(f"There is no job {options['job']}.")
        parts = 0
        while True:
            if work_on(job):
                parts += 1
                continue
            now = jobs.finish_job(job.id)
            if now.is_over or jobs.is_left(job):
                values = {"job": str(job.id), "state": now.state, "parts": parts}
                return Result(values, f"The job is {now.state}; {parts} parts of it were done here.")
            time.sleep(WAIT_SECONDS)    # others hold what is left; when one dies its lease runs out, and there is something to do
