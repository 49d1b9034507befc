"""Applicants found by what the partner knows of them."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from audit.vault import keyring
from scoring.applicants import ApplicantDetails, details_of
from scoring.models import Applicant


@dataclass(frozen=True, slots=True)
class ApplicantSummary:
    """One applicant; `details` is None when erased."""

    id: uuid.UUID
    details: ApplicantDetails | None
    created_at: datetime


def applicant(reference: str) -> ApplicantSummary | None:
    """The applicant that the partner calls by this reference."""
    found = _applicants(Q(id=keyring().applicant_id(reference)))
    return found[0] if found else None


def find_applicants(*, phone: str = "", national_id: str = "", name: str = "") -> list[ApplicantSummary]:
    """Applicants with exactly this telephone, national id or name, however it was written. At most 50."""
    ring = keyring()
    wanted = Q()
    if phone:
        wanted |= Q(phone_index=ring.blind_index("phone", phone))
    if national_id:
        wanted |= Q(national_id_index=ring.blind_index("national_id", national_id))
    if name:
        wanted |= Q(name_index=ring.blind_index("name", name))
    return _applicants(wanted) if wanted else []


def _applicants(wanted: Q) -> list[ApplicantSummary]:
    ring = keyring()
    return [ApplicantSummary(row.id, details_of(ring, row), row.created_at) for row in Applicant.objects.filter(wanted).order_by("id")[:50]]
