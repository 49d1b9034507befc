"""Pages of exports: ask for one, watch it, open it once, and see those that come again."""

import uuid
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from partners.accounts.roles import Permission
from partners.accounts.web.access import Page
from portal.exports.attachment import attachment
from portal.exports.errors import ExportRefused, ListUnknown
from portal.exports.lists import ExportList, list_of
from portal.exports.models import Export, Schedule
from portal.exports.services.asking import Asked, ask_export, check, schedule_export, stop_schedule
from portal.exports.services.opening import KEPT, export_of, open_link, take_file
from portal.exports.web.forms import ONCE, ExportForm
from scoring.errors import FilterRefused, ProductUnknown

PAGE = 25


class ExportListPage(Page):
    """This person's exports, newest first, and those that come again."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """A page of them."""
        mine = {"owner_kind": "user", "owner_id": str(self.user.id)}
        rows = list(Export.objects.filter(**mine, **_before(request)).order_by("-id")[: PAGE + 1])
        context = {
            "exports": [Shown(one) for one in rows[:PAGE]], "next": rows[PAGE - 1].id if len(rows) > PAGE else None,
            "schedules": [(one, list_of(one.list).title) for one in Schedule.objects.filter(**mine, stopped_at=None).order_by("-id")],
        }  # fmt: skip
        return render(request, "exports/export_list.html", context)


class ExportNewPage(Page):
    """Take a list away as it is filtered."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The form. Raises ListNotYours."""
        one = _list(request.GET.get("list", "decisions"))
        asked = self._asked(one, "csv")
        try:
            check(asked, self.actor)
        except (FilterRefused, ProductUnknown, ExportRefused) as refusal:
            return self._page(one, self._form(one), refusal.detail, 422)
        return self._page(one, self._form(one), "", 200)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Asks for it, and leads to where it can be watched. Raises ListNotYours."""
        one = _list(request.GET.get("list", "decisions"))
        form = self._form(one, request.POST)
        if not form.is_valid():
            return self._page(one, form, "", 422)
        said = form.cleaned_data
        asked, every = self._asked(one, said["kind"], with_applicants=said.get("with_applicants", False)), said["every"]
        try:
            made = ask_export(asked=asked, actor=self.actor)
            if every != ONCE:
                schedule_export(asked=asked, every=every, actor=self.actor)
        except (FilterRefused, ProductUnknown, ExportRefused) as refusal:
            return self._page(one, form, refusal.detail, 422)
        return HttpResponseRedirect(reverse("exports:export-detail", args=[made.id]))

    def _asked(self, one: ExportList, kind: str, *, with_applicants: bool = False) -> Asked:
        return Asked(
            list_name=one.name, kind=kind, filters=_filters(self.request, one), with_applicants=with_applicants,
            time_zone=self.user.time_zone, currency=str(self.request.partner.currency),  # type: ignore[attr-defined]
        )  # fmt: skip

    def _form(self, one: ExportList, *given: Any) -> ExportForm:
        return ExportForm(one, *given, may_name=self.user.allows(Permission.APPLICANT_READ))

    def _page(self, one: ExportList, form: ExportForm, problem: str, status: int) -> HttpResponse:
        given = _filters(self.request, one)
        context = {"list": one, "form": form, "given": given.items(), "problem": problem, "back": _back(one, given)}
        return render(self.request, "exports/export_new.html", context, status=status)


class ExportDetailPage(Page):
    """One export: how far it is, or its file."""

    def get(self, request: HttpRequest, export_id: uuid.UUID) -> HttpResponse:
        """The export as it stands now. Raises ExportUnknown."""
        shown = Shown(export_of(export_id, self.actor))
        return render(request, "exports/export_detail.html", {"shown": shown, "export": shown.export})


class ExportLinkPage(Page):
    """A link to the file."""

    def post(self, request: HttpRequest, export_id: uuid.UUID) -> HttpResponse:
        """Leads to the file by a link that opens it once. Raises ExportUnknown, ExportNotReady, ListNotYours."""
        link = open_link(export_id=export_id, actor=self.actor)
        return HttpResponseRedirect(f"{reverse('exports:export-file', args=[export_id])}?{urlencode({'link': link.token})}")


class ExportFilePage(Page):
    """The file."""

    def get(self, request: HttpRequest, export_id: uuid.UUID) -> HttpResponseBase:
        """Once. Raises ExportUnknown, LinkSpent, ExportNotReady, ListNotYours."""
        return attachment(take_file(export_id=export_id, token=request.GET.get("link", ""), actor=self.actor))


class ScheduleStopPage(Page):
    """An export does not come again."""

    def post(self, request: HttpRequest, schedule_id: uuid.UUID) -> HttpResponse:
        """Stops it, and goes back to the list. Raises ExportUnknown."""
        stop_schedule(schedule_id=schedule_id, actor=self.actor)
        messages.success(request, _("It is not made again. Files that are there stay for their three days."))
        return HttpResponseRedirect(reverse("exports:export-list"))


class Shown:
    """An export as pages tell it."""

    def __init__(self, export: Export) -> None:
        self.export, self.title = export, list_of(export.list).title
        self.state = "gone" if export.forgotten_at else export.state
        self.kept_until = export.finished_at + KEPT if export.finished_at and export.is_there else None

    @property
    def is_live(self) -> bool:
        """Whether it moves by itself."""
        return not self.export.is_over


def _list(name: str) -> ExportList:
    try:
        return list_of(name)
    except ListUnknown as error:
        raise Http404 from error


def _back(one: ExportList, given: dict[str, str]) -> str:
    try:
        return one.address(given)
    except NoReverseMatch:    # it was not said of what
        return reverse("exports:export-list")


def _filters(request: HttpRequest, one: ExportList) -> dict[str, str]:
    return {name: text for name in one.filters if (text := request.GET.get(name, "").strip())}


def _before(request: HttpRequest) -> dict[str, uuid.UUID]:
    try:
        return {"id__lt": uuid.UUID(request.GET.get("before", ""))}
    except ValueError:
        return {}
