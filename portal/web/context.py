"""What every page knows: whose it is, who is looking, and where one can go from here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from partners.accounts.models import User
from partners.accounts.roles import Permission, Role
from portal.approvals.selectors import waiting_counts
from portal.web.places import APPLICATIONS, applications


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the menu."""

    title: str
    url: str
    is_here: bool
    count: int = 0    # of what waits there; the menu shows none for nothing


def portal(request: HttpRequest) -> dict[str, Any]:
    """The context of every page; empty places while nobody is signed in."""
    user = getattr(request, "user", None)
    if not isinstance(user, User) or getattr(request, "partner", None) is None:
        return {
            "partner": getattr(request, "partner", None), "menu": (), "is_relaxed": not settings.SECOND_FACTOR_REQUIRED,
            "base": "base_plain.html",
        }  # fmt: skip
    return {
        "partner": getattr(request, "partner", None),
        "base": "base.html",
        "is_relaxed": not settings.SECOND_FACTOR_REQUIRED,
        "menu": [part for part in _menu(request, user) if part],
        "role_title": Role(user.role).label,
        "may_decide": user.allows(Permission.DECISION_MAKE),
        "may_read_applicants": user.allows(Permission.APPLICANT_READ),
    }


def _menu(request: HttpRequest, user: User) -> list[list[Place]]:
    """The day's work, then what stands behind it, then how it is kept running. Where one is: the longest address that leads here."""
    waiting, second = _counts(user)
    daily = [
        (_("Overview"), reverse("portal:overview"), Permission.DECISION_READ, 0),
        (_("Applications"), APPLICATIONS, Permission.DECISION_READ, waiting),
        (_("Second person"), applications(tab="second"), Permission.APPLICATION_APPROVE, second),
        (_("Letters"), reverse("approvals:notice-list"), Permission.APPLICATION_DECIDE, 0),
        (_("Score an applicant"), reverse("scoring:decision-new"), Permission.DECISION_MAKE, 0),
        (_("Batches"), reverse("scoring:batch-list"), Permission.DECISION_READ, 0),
        (_("Applicants"), reverse("portal:applicant-list"), Permission.APPLICANT_READ, 0),
    ]
    knowledge = [
        (_("Decisions"), reverse("scoring:decision-list"), Permission.DECISION_READ, 0),
        (_("Month by month"), reverse("portal:summary"), Permission.DECISION_READ, 0),
        (_("Products"), reverse("scoring:product-list"), Permission.PRODUCT_READ, 0),
        (_("Models"), reverse("scoring:model-list"), Permission.MODEL_READ, 0),
        (_("Audit record"), reverse("record:event-list"), Permission.RECORD_READ, 0),
        (_("Exports"), reverse("exports:export-list"), Permission.DECISION_READ, 0),
    ]
    craft = [
        (_("Requests of applicants"), reverse("privacy:privacy-list"), Permission.PRIVACY_MANAGE, 0),
        (_("Developers"), reverse("accounts:developers"), Permission.KEY_MANAGE, 0),
        (_("Team"), reverse("accounts:team"), Permission.USER_READ, 0),
    ]
    compliance = [
        (_("Retention"), reverse("retention:retention"), Permission.RECORD_READ, 0),
        (_("Compliance report"), reverse("retention:compliance-report"), Permission.RECORD_READ, 0),
    ]
    parts = [[one for one in part if user.allows(one[2])] for part in (daily, knowledge, compliance, craft)]
    here = _here(request, [one[1] for part in parts for one in part])
    return [[Place(title, url, url == here, count) for title, url, _permission, count in part] for part in parts]


def _here(request: HttpRequest, urls: Sequence[str]) -> str:
    """The address in the menu that the page belongs to."""
    full = request.get_full_path()
    exact = [url for url in urls if "?" in url and full.startswith(url)]
    below = [url for url in urls if request.path == url or (url != "/" and request.path.startswith(f"{url}/"))]
    return max(exact or below, key=len, default="")


def _counts(user: User) -> tuple[int, int]:
    if not user.allows(Permission.APPLICATION_DECIDE):
        return 0, 0
    counts = waiting_counts(user.id)
    return counts.everybody, counts.second
