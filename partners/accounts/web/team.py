"""The team: who works here, what their roles may do, who joins and who leaves."""

import uuid
from typing import Any

from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.errors import DomainError
from partners.accounts import links, selectors, services
from partners.accounts.errors import LastAdministrator, SecondFactorRefused, UserExists, UserRefused
from partners.accounts.roles import Permission, Role, needs_second_factor, permissions_of
from partners.accounts.second_factor import reset_factors
from partners.accounts.web.access import Page
from partners.accounts.web.forms import InviteForm
from partners.zones import zone_of

MAY = {
    Permission.DECISION_READ: gettext_lazy("See decisions"),
    Permission.DECISION_MAKE: gettext_lazy("Score applicants"),
    Permission.APPLICANT_READ: gettext_lazy("See who an applicant is"),
    Permission.APPLICATION_DECIDE: gettext_lazy("Decide about applications"),
    Permission.APPLICATION_APPROVE: gettext_lazy("Agree as the second person"),
    Permission.PRODUCT_READ: gettext_lazy("See products"),
    Permission.PRODUCT_EDIT: gettext_lazy("Change products, rules and cut-offs"),
    Permission.MODEL_READ: gettext_lazy("See models"),
    Permission.MODEL_TRAIN: gettext_lazy("Train models"),
    Permission.MODEL_PROMOTE: gettext_lazy("Put models in force"),
    Permission.USER_READ: gettext_lazy("See the team"),
    Permission.USER_MANAGE: gettext_lazy("Invite, change and switch off people"),
    Permission.KEY_MANAGE: gettext_lazy("Manage API keys"),
    Permission.WEBHOOK_MANAGE: gettext_lazy("Manage webhooks"),
    Permission.PRIVACY_MANAGE: gettext_lazy("Answer requests of applicants"),
    Permission.RECORD_READ: gettext_lazy("Read the record"),
}
_REFUSALS = (LastAdministrator, SecondFactorRefused, UserRefused)


class TeamPage(Page):
    """Everybody, and what each role may do."""

    permission = Permission.USER_READ

    def get(self, request: HttpRequest) -> HttpResponse:
        """The list."""
        roles = [(role, needs_second_factor(role), [MAY[one] for one in Permission if one in permissions_of(role)]) for role in Role]
        return render(request, "accounts/team.html", {"people": selectors.team(), "roles": roles, "may_manage": may_manage(self)})


class InvitePage(Page):
    """Letting somebody in."""

    permission = Permission.USER_MANAGE

    def get(self, request: HttpRequest) -> HttpResponse:
        """The form."""
        return render(request, "accounts/invite.html", {"form": InviteForm(initial={"role": Role.VIEWER})})

    def post(self, request: HttpRequest) -> HttpResponse:
        """The link, shown once."""
        form = InviteForm(request.POST)
        if form.is_valid():
            zone = zone_of(request.partner.country)  # type: ignore[attr-defined]
            try:
                made = links.invite_person(**form.cleaned_data, language=self.user.language, time_zone=zone, actor=self.actor)
                return invited(request, made)
            except (UserExists, UserRefused) as refusal:
                name = next(iter(refusal.fields), "email")
                form.add_error(name if name in form.fields else None, refusal.fields.get(name, refusal.detail))
        return render(request, "accounts/invite.html", {"form": form}, status=422)


class PersonPage(Page):
    """One person: role, access, second factor, invitation."""

    permission = Permission.USER_READ

    def get(self, request: HttpRequest, user_id: uuid.UUID) -> HttpResponse:
        """The page."""
        return self._page(request, user_id)

    def post(self, request: HttpRequest, user_id: uuid.UUID) -> HttpResponse:
        """What the pressed button says is done, or what stands against it is told."""
        acts = {"role": self._role, "off": self._off, "on": self._on, "reset": self._reset, "invite": self._invite}
        act = acts.get(request.POST.get("act", ""))
        if not may_manage(self):
            raise PermissionDenied
        selectors.member(user_id)    # raises UserUnknown, whatever was pressed
        if act is None:
            raise BadRequest
        try:
            return act(request, user_id)
        except _REFUSALS as refusal:
            return self._page(request, user_id, refusal=refusal)

    def _role(self, request: HttpRequest, user_id: uuid.UUID) -> HttpResponse:
        services.change_user(user_id=user_id, role=request.POST.get("role", ""), actor=self.actor)
        return self._done(request, user_id, _("The role was changed. They sign in again."))

    def _off(self, request: HttpRequest, user_id: uuid.UUID) -> HttpResponse:
        services.change_user(user_id=user_id, is_active=False, actor=self.actor)
        return self._done(request, user_id, _("Their access has ended, everywhere and at once."))

    def _on(self, request: HttpRequest, user_id: uuid.UUID) -> HttpResponse:
        services.change_user(user_id=user_id, is_active=True, actor=self.actor)
        return self._done(request, user_id, _("They can sign in again. Keys that were revoked stay revoked."))

    def _reset(self, request: HttpRequest, user_id: uuid.UUID) -> HttpResponse:
        reset_factors(user_id=user_id, actor=self.actor)
        told = _("The second factor was removed, and they are signed out. At the next sign-in they set up another.")
        return self._done(request, user_id, told)

    def _invite(self, request: HttpRequest, user_id: uuid.UUID) -> HttpResponse:
        return invited(request, links.invite_again(user_id=user_id, actor=self.actor))

    def _done(self, request: HttpRequest, user_id: uuid.UUID, told: str) -> HttpResponse:
        messages.success(request, told)
        return HttpResponseRedirect(reverse("accounts:person", args=[user_id]) if user_id != self.user.id else reverse("portal:overview"))

    def _page(self, request: HttpRequest, user_id: uuid.UUID, *, refusal: DomainError | None = None) -> HttpResponse:
        context: dict[str, Any] = {
            "one": selectors.member(user_id), "roles": Role.choices, "refusal": refusal, "may_manage": may_manage(self),
            "is_self": user_id == self.user.id,
        }  # fmt: skip
        return render(request, "accounts/person.html", context, status=422 if refusal else 200)


def may_manage(page: Page) -> bool:
    """Whether who looks may also change something."""
    return page.user.allows(Permission.USER_MANAGE)


def invited(request: HttpRequest, made: links.Invitation) -> HttpResponse:
    """The link, for the only time."""
    address = f"{request.scheme}://{request.get_host()}{reverse('accounts:link-followed', args=[made.token])}"
    return render(request, "accounts/invited.html", {"made": made, "address": address})
