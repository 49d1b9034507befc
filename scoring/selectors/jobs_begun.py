"""Jobs as others may ask about them."""

import uuid

from scoring.errors import JobUnknown
from scoring.models import Job

_SCORES = "score_file"


def score_job(job_id: uuid.UUID) -> Job:
    """The job, if it is one that scores a table. Raises JobUnknown."""
    found = Job.objects.filter(id=job_id, kind=_SCORES).first()
    if found is None:
        raise JobUnknown(f"There is no job {job_id}.")
    return found
