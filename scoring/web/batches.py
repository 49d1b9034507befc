"""Pages of batches: bring a table, match its columns, see what is wrong, start, watch, take the result."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from msgspec import structs

from partners.accounts.roles import Permission
from partners.accounts.web.access import Page
from scoring import registry, selectors
from scoring.engine.writing import Cell, ColumnKinds
from scoring.errors import BatchUnknown, MappingRefused, ProductUnknown, ResultGone, TableRefused
from scoring.models import BandCode, Batch, Job
from scoring.selectors import ScoreBin
from scoring.services import batches, jobs, work
from scoring.services.uploads import room_for
from scoring.web.batch_files import KINDS, download, template
from scoring.web.batch_forms import BatchForm, ColumnsForm
from scoring.web.batch_words import fix_words, problem_words, table_words
from scoring.web.charts import score_chart
from scoring.web.receiving import FIELD, TableReceiver
from scoring.web.written import language_of_page

PAGE = 25
Found = TypeVar("Found", batches.Finding, batches.FindingKind)
SMALL = 256 * 1024    # bytes: a table that is worked on at once, instead of by a worker
AT_ONCE_SECONDS = 2.0
FINDINGS = (
    gettext_lazy("row"), gettext_lazy("column"), gettext_lazy("we read"), gettext_lazy("what is wrong"), gettext_lazy("what to do"),
)  # fmt: skip


class BatchListPage(Page):
    """Every batch, newest first, with how far it is."""

    permission = Permission.DECISION_READ

    def get(self, request: HttpRequest) -> HttpResponse:
        """A page of the list."""
        found = Batch.objects.select_related("product", "checking", "working").defer("product__definition", "sealed_findings")
        if (before := _uuid(request.GET.get("before", ""))) is not None:
            found = found.filter(id__lt=before)
        rows = list(found.order_by("-id")[: PAGE + 1])
        context = {"batches": [_Shown(one) for one in rows[:PAGE]], "next": rows[PAGE - 1].id if len(rows) > PAGE else None}
        return render(request, "scoring/batch_list.html", context)


@method_decorator(csrf_exempt, name="dispatch")    # the token is looked at when the receiver stands ready: reading it reads the file
class BatchNewPage(Page):
    """Bring a table."""

    permission = Permission.DECISION_MAKE

    def get(self, request: HttpRequest) -> HttpResponse:
        """The form."""
        return self._form(BatchForm(self._products(), initial={"product": request.GET.get("product", "")}), 200)

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Takes the table and leads to its columns; says why it was not taken."""
        receiver = TableReceiver()
        request.upload_handlers = [receiver]
        is_kept = False
        try:
            answer: HttpResponseBase = csrf_protect(lambda asked: self._received(asked, receiver))(request)
            is_kept = answer.status_code == 302
        finally:
            if not is_kept:
                receiver.forget()
        return answer

    def _received(self, request: HttpRequest, receiver: TableReceiver) -> HttpResponse:
        form = BatchForm(self._products(), request.POST)
        is_valid, problem = form.is_valid(), _problem(receiver)
        if is_valid and not problem:
            said = form.cleaned_data
            try:
                made = batches.receive_batch(
                    batch_id=receiver.batch_id, kind=said["kind"], product_slug=said["product"], name=receiver.name, size=receiver.size,
                    digest=receiver.digest, actor=self.actor,
                )  # fmt: skip
                return HttpResponseRedirect(reverse("scoring:batch-columns", args=[made.id]))
            except TableRefused as refusal:
                problem = table_words(refusal.detail)
        if problem:
            form.add_error(FIELD, problem)
        return self._form(form, 422)

    def _form(self, form: BatchForm, status: int) -> HttpResponse:
        return render(self.request, "scoring/batch_new.html", {"form": form, "products": self._products()}, status=status)

    def _products(self) -> list[tuple[str, str]]:
        return [(one.slug, one.title) for one in selectors.products()]


def _problem(receiver: TableReceiver) -> str:
    if not receiver.name:
        return _("Choose a table.")
    if receiver.is_too_large:
        return _("The file is larger than 100 MB. Split it, or send it with score_file on the server.")
    if not receiver.size:
        return _("The file is empty. Export it again with a header and rows.")
    return "" if room_for(receiver.size) else _("There is no room on the server for this file now. Tell whoever runs Vouch.")


class BatchColumnsPage(Page):
    """Which column means what."""

    permission = Permission.DECISION_MAKE

    def get(self, request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
        """As matched before, or guessed."""
        batch = _batch(batch_id)
        chosen = batch.mapping or batches.remembered(batch)
        form = ColumnsForm(batches.asked_for(batch.kind, batch.product.slug, language_of_page()), batch.columns, chosen)
        return self._form(batch, form, 200)

    def post(self, request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
        """The check begins."""
        batch = _batch(batch_id)
        form = ColumnsForm(batches.asked_for(batch.kind, batch.product.slug, language_of_page()), batch.columns, {}, request.POST)
        if form.is_valid():
            try:
                batch = batches.map_columns(batch_id=batch.id, mapping=form.mapping(), currency=_currency(request), actor=self.actor)
            except MappingRefused as refusal:
                form.refuse(refusal.fields)
            else:
                _at_once(batch, batch.checking)
                return HttpResponseRedirect(reverse("scoring:batch-detail", args=[batch.id]))
        return self._form(batch, form, 422)

    def _form(self, batch: Batch, form: ColumnsForm, status: int) -> HttpResponse:
        used = set(form.data.values()) if form.is_bound else {field.initial for field in form.fields.values()}
        context = {"batch": batch, "form": form, "unused": [one for one in batch.columns if one not in used]}
        return render(self.request, "scoring/batch_columns.html", context, status=status)


class BatchDetailPage(Page):
    """One batch: what the check found, how far it is, or what came of it."""

    permission = Permission.DECISION_READ

    def get(self, request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
        """The batch as it stands now."""
        batches.settled(_batch(batch_id))
        batch = _batch(batch_id)
        shown = _Shown(batch)
        may_read = self.user.allows(Permission.APPLICANT_READ)
        context: dict[str, Any] = {
            "batch": batch, "shown": shown, "may_read": may_read, "has_result": batches.has_result(batch),
            "may_start": self.user.allows(Permission.DECISION_MAKE),
        }  # fmt: skip
        if shown.step == "checked" and may_read:
            found = batches.findings(batch)
            context |= {"kinds": [_told(one) for one in found.kinds], "first": [_told(one) for one in found.first]}
        if shown.step == "done" and batch.kind == Batch.Kind.APPLICANTS:
            context |= _portfolio(batch)
        return render(request, "scoring/batch_detail.html", context)

    def post(self, request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
        """Starts it, once however often the button is pressed."""
        if not self.user.allows(Permission.DECISION_MAKE):
            raise PermissionDenied
        batch = batches.start_batch(batch_id=_batch(batch_id).id, currency=_currency(request), actor=self.actor)
        _at_once(batch, batch.working)
        return HttpResponseRedirect(reverse("scoring:batch-detail", args=[batch.id]))


class BatchResultDownload(Page):
    """The decisions of a batch as a file."""

    permission = Permission.APPLICANT_READ

    def get(self, request: HttpRequest, batch_id: uuid.UUID) -> HttpResponseBase:
        """The file; recorded."""
        batch, kind = _batch(batch_id), _kind(request, KINDS)
        lines = batches.result_lines(batch)
        batches.record_download(batch=batch, what=f"result.{kind}", actor=self.actor)
        return download(kind, name=f"{_stem(batch)}-decisions", title="Decisions", columns=batches.result_columns(), rows=lines)


class BatchErrorsDownload(Page):
    """Every cell to repair, as a file."""

    permission = Permission.APPLICANT_READ

    def get(self, request: HttpRequest, batch_id: uuid.UUID) -> HttpResponseBase:
        """The file; recorded."""
        batch, kind = _batch(batch_id), _kind(request, ("csv", "xlsx"))
        found = batches.all_findings(batch)
        batches.record_download(batch=batch, what=f"errors.{kind}", actor=self.actor)
        rows: Iterator[list[Cell]] = ([one.row, one.column, one.read, problem_words(one.problem), fix_words(one.fix)] for one in found)
        columns: ColumnKinds = dict.fromkeys(map(str, FINDINGS), str)
        return download(kind, name=f"{_stem(batch)}-to-correct", title=_("To correct"), columns=columns, rows=rows)


class BatchTemplate(Page):
    """A table to fill in."""

    permission = Permission.DECISION_MAKE

    def get(self, request: HttpRequest, product: str) -> HttpResponseBase:
        """The file, with what the product asks for today."""
        kind = Batch.Kind.OUTCOMES if request.GET.get("of") == Batch.Kind.OUTCOMES else Batch.Kind.APPLICANTS
        try:
            asked = batches.asked_for(kind, selectors.product(product).slug, language_of_page())
        except ProductUnknown as error:
            raise Http404 from error
        return template(_kind(request, ("csv", "xlsx")), name=f"{product}-{kind}", asked=asked)


def _told(found: Found) -> Found:
    """What was found, in the language of the page."""
    return structs.replace(found, problem=problem_words(found.problem), fix=fix_words(found.fix))


class _Shown:
    """Where a batch stands, as lists and pages say it."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        job = batch.working or batch.checking
        self.progress = None if job is None else jobs.progress(job)
        self.step = self._step(job)

    def _step(self, job: Job | None) -> str:
        """mapping, checking, checked, refused, working, done or failed."""
        if job is None or self.progress is None:
            return "mapping"
        is_work = job.id == self.batch.working_id
        if not self.progress.is_over:
            return "working" if is_work else "checking"
        if self.progress.state == Job.State.FAILED:
            return "failed" if is_work else "refused"
        return "done" if is_work else "checked"

    @property
    def problem(self) -> str:
        """Why it cannot be used or ended early."""
        return "" if self.progress is None else table_words(self.progress.problem)

    @property
    def is_live(self) -> bool:
        """Whether it moves by itself."""
        return self.step in {"checking", "working"}

    @property
    def is_small(self) -> bool:
        """Whether a file of this kind was read in one go."""
        return self.batch.size <= SMALL

    @property
    def seen(self) -> int:
        """Rows that are through."""
        return self.progress.done + self.progress.failed if self.progress else 0

    @property
    def percent(self) -> int:
        """How far it is; nothing can be said while rows are still being read."""
        if self.progress is None or not self.progress.total or not self.progress.is_split:
            return 0
        return 100 * self.seen // self.progress.total


def _portfolio(batch: Batch) -> dict[str, Any]:
    figures = batch.figures or {}
    outcomes, bands = figures.get("outcomes", {}), figures.get("bands", {})
    scored = sum(outcomes.values())
    bins = [
        ScoreBin(batches.LOWEST + place * batches.BIN, batches.LOWEST + (place + 1) * batches.BIN, count)
        for place, count in enumerate(figures.get("bins", [0] * batches.BINS))
    ]
    rows = f"{reverse('scoring:decision-list')}?batch={batch.id}"
    ranges = [f"{rows}&score_from={one.low}&score_below={one.high + (one.high == bins[-1].high)}" for one in bins]
    policy = registry.current(batch.product.slug).policy
    chart = score_chart(bins, cut_offs=sorted({policy.decline_below, policy.approve_from}), links=[
        (link, ngettext("Scores %(low)s to %(high)s: one applicant", "Scores %(low)s to %(high)s: %(count)s applicants", one.count)
         % {"low": one.low, "high": one.high, "count": one.count}) for link, one in zip(ranges, bins, strict=True)
    ])  # fmt: skip
    return {
        "figures": figures, "scored": scored, "rows": rows, "bins": list(zip(bins, ranges, strict=True)), "chart": chart,
        "outcomes": _with_shares(outcomes, ("approve", "refer", "decline")), "bands": _with_shares(bands, BandCode.values),
    }  # fmt: skip


def _with_shares(counts: Mapping[str, int], codes: Sequence[str]) -> list[tuple[str, int, float]]:
    total = sum(counts.values())
    return [(code, counts.get(code, 0), counts.get(code, 0) / total if total else 0.0) for code in codes]


def _at_once(batch: Batch, job: Job | None) -> None:
    if job is not None and batch.size <= SMALL:
        work.work_at_once(job, AT_ONCE_SECONDS)
        work.end(job)


def _batch(batch_id: uuid.UUID) -> Batch:
    try:
        return batches.batch_of(batch_id)
    except BatchUnknown as error:
        raise Http404 from error


def _kind(request: HttpRequest, kinds: tuple[str, ...]) -> str:
    kind = request.GET.get("as", "csv")
    if kind not in kinds:
        raise ResultGone
    return kind


def _currency(request: HttpRequest) -> str:
    return str(request.partner.currency)  # type: ignore[attr-defined]


def _stem(batch: Batch) -> str:
    return batch.name.rpartition(".")[0] or batch.name


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
