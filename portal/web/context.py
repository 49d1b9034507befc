"""What every page knows: whose it is, who is looking, and where one can go from here."""

from dataclasses import dataclass, replace
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from partners.accounts.models import User
from partners.accounts.roles import Permission, Role


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the menu."""

    title: str
    url: str
    is_here: bool


def portal(request: HttpRequest) -> dict[str, Any]:
    """The context of every page; empty places while nobody is signed in."""
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return {"partner": getattr(request, "partner", None), "menu": ()}
    return {
        "partner": getattr(request, "partner", None),
        "menu": [part for part in _menu(request, user) if part],
        "role_title": Role(user.role).label,
        "may_decide": user.allows(Permission.DECISION_MAKE),
        "may_read_applicants": user.allows(Permission.APPLICANT_READ),
    }


def _menu(request: HttpRequest, user: User) -> list[list[Place]]:
    def places(*wanted: tuple[str, str, Permission]) -> list[Place]:
        allowed = [(title, reverse(name)) for title, name, permission in wanted if user.allows(permission)]
        return [Place(title, url, request.path == url or (url != "/" and request.path.startswith(f"{url}/"))) for title, url in allowed]

    daily = places(
        (_("Overview"), "portal:overview", Permission.DECISION_READ),
        (_("Applications"), "approvals:application-list", Permission.DECISION_READ),
        (_("Decisions"), "scoring:decision-list", Permission.DECISION_READ),
        (_("Letters"), "approvals:notice-list", Permission.APPLICATION_DECIDE),
    )
    if any(place.is_here and place.url == reverse("approvals:notice-list") for place in daily):    # below the applications' address
        daily = [replace(place, is_here=place.is_here and place.url != reverse("approvals:application-list")) for place in daily]
    if user.allows(Permission.DECISION_MAKE):
        new = reverse("scoring:decision-new")
        is_new = request.path.startswith(new)
        daily = [Place(place.title, place.url, place.is_here and not is_new) for place in daily]
        daily.append(Place(_("Score an applicant"), new, is_new))
    daily += places((_("Batches"), "scoring:batch-list", Permission.DECISION_READ))
    craft = places(
        (_("Products"), "scoring:product-list", Permission.PRODUCT_READ),
        (_("Models"), "scoring:model-list", Permission.MODEL_READ),
        (_("API"), "api:docs", Permission.KEY_MANAGE),
    )
    return [daily, craft]
