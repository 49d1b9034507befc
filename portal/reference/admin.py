"""Lists of the admin that can be taken away as a file and brought back: shown first what would change, then through the services."""

from typing import Any, ClassVar

from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.core.signing import BadSignature
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_protect

from audit.actions import Action
from audit.admin import HoldAdmin, RetentionPolicyAdmin
from audit.admin_pages import Button, ReadOnly, deed
from audit.context import Actor
from audit.services import record
from partners.accounts.models import User
from partners.accounts.web.access import actor_of
from partners.admin import ExchangeRateAdmin
from portal.reference import files
from portal.reference.tables import ExchangeRates, Holds, ReasonTexts, ReferenceTable, RetentionRules
from portal.uploads import InMemory
from scoring.admin import ProductAdmin
from scoring.engine.tables import TableError
from scoring.engine.writing import MEDIA_TYPES

KINDS = ("csv", "xlsx")
_FORM = 2 * 1024 * 1024    # what a form holds besides the file: the rows that were shown


class Carried(ReadOnly):
    """A list whose table is `table`. Who sees the list may take it away; bringing it back needs the table's permission."""

    table: ClassVar[type[ReferenceTable]]
    hint: ClassVar[Any] = ""    # what a file may say, and what it does not do

    def get_urls(self) -> list[URLPattern]:
        """And the two ways of a file."""
        view = self.admin_site.admin_view
        return [
            path("export/", view(self.take_away), name=self.route("export")),
            path("import/", view(deed(self.bring, takes_file=True)), name=self.route("import")),
            *super().get_urls(),
        ]

    def buttons(self, request: HttpRequest) -> list[Button]:
        """Taking away, and bringing for whoever may."""
        away, bring = (reverse(f"admin:{self.route(way)}") for way in ("export", "import"))
        found = [Button(f"{away}?format={kind}", _("Take it away as %(kind)s") % {"kind": kind.upper()}) for kind in KINDS]
        return [*found, Button(bring, gettext_lazy("Bring a file"))] if self._may_bring(request) else found

    def take_away(self, request: HttpRequest) -> HttpResponse:
        """The file; that it was taken is recorded."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        kind = request.GET.get("format", "")
        if kind not in KINDS:
            raise BadRequest
        content = files.written(self.table(), kind)
        actor = self._actor(request)
        record(action=Action.REFERENCE_EXPORTED, actor=actor, object_kind="table", object_id=self.table.name, detail={"format": kind})
        named = content_disposition_header(as_attachment=True, filename=f"{self.table.name}.{kind}")
        return HttpResponse(content, content_type=MEDIA_TYPES[kind], headers={"Content-Disposition": str(named)})

    def bring(self, request: HttpRequest) -> HttpResponse:
        """Asks for a file, shows what would become of it, and takes in what was shown."""
        if not self._may_bring(request):
            raise PermissionDenied
        if request.method != "POST":
            return self._page(request)
        handler = InMemory(request, largest=files.LARGEST)
        request.upload_handlers = [handler]

        def received(_asked: HttpRequest) -> HttpResponse:
            if "shown" in request.POST:
                return self._take_in(request, request.POST["shown"])
            given = request.FILES.get("table")
            if handler.is_too_large:
                return self._too_large(request)
            if not isinstance(given, UploadedFile) or not given.name:
                return self._page(request, problem=_("Choose a file first; nothing was changed."))
            return self._show(request, given.name, given.read())

        if int(request.META.get("CONTENT_LENGTH") or 0) > files.LARGEST + _FORM:    # not a byte of it is read
            return self._too_large(request)
        return csrf_protect(received)(request)

    def _show(self, request: HttpRequest, name: str, content: bytes) -> HttpResponse:
        try:
            brought = files.read(self.table(), name=name, content=content)
        except TableError as refusal:
            return self._page(request, problem=str(refusal))
        return self._shown(request, brought)

    def _shown(self, request: HttpRequest, brought: files.Brought, *, is_other: bool = False) -> HttpResponse:
        actor = self._actor(request)
        shown = files.tried(self.table, brought, actor=actor)
        form = files.sealed(self.table, brought, shown, actor=actor) if shown.may_be_taken else ""
        return self._page(request, file=brought.file, shown=shown, form=form, is_other=is_other, columns=list(self.table.columns))

    def _take_in(self, request: HttpRequest, form: str) -> HttpResponse:
        try:
            brought, seen = files.opened(self.table, form, actor=self._actor(request))
        except BadSignature:
            return self._page(request, problem=_("What you saw is too old or not yours; nothing was changed. Bring the file again."))
        done = files.taken_in(self.table, brought, seen=seen, actor=self._actor(request))
        if done is None or not done.may_be_taken:
            return self._shown(request, brought, is_other=True)
        counts = done.counts
        told = _("%(file)s was taken in: %(new)s new, %(changed)s changed.") % {
            "file": brought.file, "new": counts[files.NEW], "changed": counts[files.CHANGED],
        }  # fmt: skip
        messages.success(request, told)
        return HttpResponseRedirect(self.address)

    def _page(self, request: HttpRequest, **about: Any) -> HttpResponse:
        shown: files.Shown | None = about.get("shown")
        is_refused = bool(about.get("problem")) or (shown is not None and not shown.may_be_taken)
        context = {
            **self.admin_site.each_context(request), "title": _("Bring a file"), "kind": self.title, "list": self.address,
            "hint": self.hint, "header": list(self.table.columns), "most": files.MOST_ROWS, **about,
        }  # fmt: skip
        return TemplateResponse(request, "admin/bring.html", context, status=422 if is_refused else 200)

    def _too_large(self, request: HttpRequest) -> HttpResponse:
        size = files.LARGEST // 1024
        return self._page(request, problem=_("The file is larger than %(size)s KiB: bring it in parts.") % {"size": size})

    def _may_bring(self, request: HttpRequest) -> bool:
        return isinstance(request.user, User) and request.user.allows(self.table.permission) and self.has_view_permission(request)

    def _actor(self, request: HttpRequest) -> Actor:
        assert isinstance(request.user, User)
        return actor_of(request, request.user)


class RetentionRulesAdmin(Carried, RetentionPolicyAdmin):
    """The rules of retention."""

    table = RetentionRules
    hint = gettext_lazy("A row is one rule. Rules that the file leaves out stay as they are.")


class HoldsAdmin(Carried, HoldAdmin):
    """Legal holds."""

    table = Holds
    hint = gettext_lazy("A row without an id is placed as a new hold. A file changes and lifts none: that takes two people.")


class ReasonTextsAdmin(Carried, ProductAdmin):
    """Products, and the texts of their reasons."""

    table = ReasonTexts
    hint = gettext_lazy("A row is the text of one reason or rule, a column for each language. Models trained before keep their texts.")


class RatesAdmin(Carried, ExchangeRateAdmin):
    """Exchange rates."""

    table = ExchangeRates
    hint = gettext_lazy("A row is one rate: so much of “quote” for one of “base”, from that day on.")
