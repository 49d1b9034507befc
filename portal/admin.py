"""Two admins: a partner's, on its own host for its officers, and the operators', on the public host. Which shows what is said here."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponseNotAllowed, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, include, path, reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from audit.admin import (
    AlertAdmin,
    CheckpointAdmin,
    EventAdmin,
    PrivacyRequestAdmin,
    RetentionRunAdmin,
    check_button,
)
from audit.admin_pages import ReadOnly
from audit.models import Alert, Checkpoint, Event, Hold, PrivacyRequest, RetentionPolicy, RetentionRun, Verification
from partners.accounts.admin import ApiKeyAdmin, UserAdmin
from partners.accounts.errors import SignedOut
from partners.accounts.models import ApiKey, User
from partners.accounts.roles import Permission
from partners.admin import PartnerAdmin
from partners.models import ExchangeRate, Partner
from partners.webhooks.admin import EndpointAdmin
from partners.webhooks.models import Endpoint
from portal.approvals.admin import ApplicationAdmin
from portal.approvals.models import Application
from portal.exports.admin import ExportAdmin
from portal.exports.models import Export
from portal.record.admin import CheckAdmin
from portal.record_state import State, record_state, work_state
from portal.reference.admin import HoldsAdmin, RatesAdmin, ReasonTextsAdmin, RetentionRulesAdmin
from scoring.admin import DecisionAdmin, JobAdmin, ModelVersionAdmin
from scoring.models import Decision, Job, ModelVersion, Product

View = Callable[..., HttpResponseBase]
_READING = ("GET", "HEAD")


class OfficersSite(AdminSite):
    """The admin on a partner's host, for people who may read the record. Whatever is not marked `is_deed` is only ever read."""

    site_header = _("Record and compliance")
    index_title = site_title = site_header
    enable_nav_sidebar = False

    def __init__(self, shown: Mapping[type[Model], type[ReadOnly]]) -> None:
        super().__init__(name="admin")
        for model, how in shown.items():
            self.register(model, how)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """The index and the lists. Stock pages that would change something, or show what is nobody's here, have no address."""
        lists: list[URLPattern | URLResolver] = [
            path(f"{model._meta.app_label}/{model._meta.model_name}/", include(how.get_urls())) for model, how in self._registry.items()
        ]
        return [path("", self.admin_view(self.index), name="index"), *lists]

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """None: the index has a list of its own."""
        return []

    def has_permission(self, request: HttpRequest) -> bool:
        """People of the partner who may read the record."""
        return isinstance(request.user, User) and request.user.allows(Permission.RECORD_READ)

    def is_here(self, request: HttpRequest) -> bool:
        """Whether this host has this admin."""
        return getattr(request, "partner", None) is not None

    def admin_view(self, view: View, cacheable: bool = False) -> View:  # type: ignore[override]
        """The view for who may see it; strangers are sent to sign in. What is no deed is refused to anything but reading."""

        def guarded(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponseBase:
            self._refuse(request)
            if not isinstance(request.user, User):
                return HttpResponseRedirect(f"{reverse('accounts:login')}?{urlencode({'next': request.get_full_path()})}")
            allowed = (*_READING, "POST") if getattr(view, "is_deed", False) else _READING
            if request.method not in allowed:
                return HttpResponseNotAllowed(allowed)
            with timezone.override(request.user.time_zone):
                response = view(request, *arguments, **named)
                if isinstance(response, TemplateResponse):
                    response.render()
            response.headers.setdefault("Cache-Control", "no-store")
            return response

        guarded.csrf_exempt = getattr(view, "csrf_exempt", False)  # type: ignore[attr-defined]
        return guarded

    def _refuse(self, request: HttpRequest) -> None:
        if not self.is_here(request):
            raise Http404
        if not isinstance(request.user, User):
            if request.method not in _READING:
                raise SignedOut
        elif not self.has_permission(request):
            raise PermissionDenied

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """The state of the record, and the lists that this person may see."""
        lists = [how for how in self._registry.values() if isinstance(how, ReadOnly) and how.has_view_permission(request)]
        context = {
            **self.each_context(request), "title": self.index_title, "lists": lists, "check": check_button(),
            "parts": [(_("How the record stands"), record_state()), *self.work(request)],
        }  # fmt: skip
        return TemplateResponse(request, "admin/index.html", context)

    def work(self, request: HttpRequest) -> list[tuple[Any, list[State]]]:
        """What waits for somebody, of what this person may see."""
        assert isinstance(request.user, User)
        return [(_("What waits"), work_state(request.user))]


class OperatorsSite(OfficersSite):
    """The admin on the public host, for operators: people of the shared schema, who see partners and what operators did."""

    site_header = _("Operators")
    index_title = site_title = site_header

    def has_permission(self, request: HttpRequest) -> bool:
        """Operators."""
        return isinstance(request.user, User) and request.user.is_staff and super().has_permission(request)

    def is_here(self, request: HttpRequest) -> bool:
        """No partner's host has it."""
        return getattr(request, "partner", None) is None

    def work(self, request: HttpRequest) -> list[tuple[Any, list[State]]]:
        """Nothing: applicants are the partners'."""
        return []


officers = OfficersSite({
    Event: EventAdmin, Verification: CheckAdmin, Checkpoint: CheckpointAdmin, Alert: AlertAdmin,
    PrivacyRequest: PrivacyRequestAdmin, RetentionPolicy: RetentionRulesAdmin, Hold: HoldsAdmin, RetentionRun: RetentionRunAdmin,
    Decision: DecisionAdmin, Application: ApplicationAdmin, Product: ReasonTextsAdmin, ModelVersion: ModelVersionAdmin,
    Job: JobAdmin, Export: ExportAdmin, Endpoint: EndpointAdmin,
    User: UserAdmin, ApiKey: ApiKeyAdmin,
})    # fmt: skip
operators = OperatorsSite({
    Partner: PartnerAdmin, ExchangeRate: RatesAdmin, User: UserAdmin,
    Event: EventAdmin, Verification: CheckAdmin, Checkpoint: CheckpointAdmin,
})    # fmt: skip
