"""API keys for people: made, shown once, looked at, rotated and revoked."""

import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from audit.services import Attempt, begin_attempt, keep_answer
from partners.accounts import calls, selectors
from partners.accounts.calls import Calls, KeyCalls
from partners.accounts.errors import ApiKeyRefused, ApiKeyUnknown
from partners.accounts.models import ApiKey
from partners.accounts.roles import Permission
from partners.accounts.services import NewApiKey, create_api_key, revoke_api_key, rotate_api_key
from partners.accounts.web.access import Page
from partners.accounts.web.key_forms import KeyForm, RotationForm, scope_titles
from partners.limits import used_share

ENDED = {"revoked", "expired"}


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as the list shows it. `used_share`: of its requests of an hour, None where that is not known."""

    key: ApiKey
    state: str
    may: list[str]
    today: Calls
    all: Calls
    used_share: float | None

    @property
    def is_ended(self) -> bool:
        """Whether it opens nothing any more."""
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class Column:
    """A day of the chart: answered below, refused and failed above; x in per cent, y in pixels of HEIGHT."""

    day: date
    calls: Calls
    x: str
    y: str
    height: str
    bad_y: str
    bad_height: str
    middle: str
    is_labelled: bool


HEIGHT, TOP = 120, 8


class KeyPage(Page):
    """A page about keys."""

    permission = Permission.KEY_MANAGE

    def row(self, used: KeyCalls, now: datetime) -> KeyRow:
        """The key with what is known of its use."""
        state = used.key.state(now)
        share = None if state in ENDED else used_share(str(used.key.id), plan=self.plan)
        return KeyRow(used.key, state, scope_titles(used.key.scopes), used.on(now.date()), used.total, share)

    @property
    def plan(self) -> str:
        """The partner's plan."""
        return str(self.request.partner.plan)  # type: ignore[attr-defined]

    def limits(self) -> dict[str, object]:
        """What the pages say about the plan."""
        partner = self.request.partner  # type: ignore[attr-defined]
        return {"plan": partner.get_plan_display(), "per_hour": settings.PLAN_REQUESTS_PER_HOUR[self.plan], "days": calls.SPAN_DAYS}

    def made(self, made: NewApiKey) -> HttpResponse:
        """The page that shows the secret, the only time."""
        context = {"key": made.key, "secret": made.secret, "address": self.request.build_absolute_uri("/").rstrip("/")}
        return render(self.request, "accounts/key_made.html", context)

    def to(self, key_id: object, note: str) -> HttpResponse:
        """Off to the key's page, with a word about what happened."""
        messages.success(self.request, note)
        return HttpResponseRedirect(reverse("accounts:key-detail", args=[key_id]))


class DevelopersPage(KeyPage):
    """Where integration engineers begin."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Off to the keys."""
        return HttpResponseRedirect(reverse("accounts:key-list"))


class KeyListPage(KeyPage):
    """The keys that work, or all that there ever were."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The list."""
        now, shows_all = datetime.now(UTC), request.GET.get("all") == "1"
        every = [(key, key.state(now) in ENDED) for key in selectors.api_keys()]
        chosen = [key for key, is_ended in every if shows_all or not is_ended]
        rows = [self.row(used, now) for used in calls.calls_by_key(*calls.span(), keys=chosen)]
        ended = sum(is_ended for _key, is_ended in every)
        address = request.build_absolute_uri("/").rstrip("/")
        context = {"rows": rows, "ended": ended, "shows_all": shows_all, "address": address, **self.limits()}
        return render(request, "accounts/key_list.html", context)


class KeyNewPage(KeyPage):
    """A new key."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The form."""
        return render(request, "accounts/key_new.html", {"form": KeyForm(), **self.limits()})

    def post(self, request: HttpRequest) -> HttpResponse:
        """Makes the key and shows it; the same form again leads to the key that it made."""
        form = KeyForm(request.POST)
        if not form.is_valid():
            return self._again(form)
        asked = form.cleaned_data
        attempt = Attempt.of(route="page:key-new", key=str(asked["token"]), actor=self.actor, body=b"")
        try:
            with transaction.atomic():
                earlier = begin_attempt(attempt)
                if earlier is not None:
                    note = _("This form made this key already. Its secret was shown once: rotate it if it is lost.")
                    return self.to(earlier.body.decode(), note)
                made = create_api_key(name=asked["name"], scopes=asked["scopes"], expires_at=asked["expires_at"], actor=self.actor)
                keep_answer(attempt, status=201, body=str(made.key.id).encode())
        except ApiKeyRefused as refusal:
            for name, detail in refusal.fields.items():
                form.add_error(name, detail)
            return self._again(form)
        return self.made(made)

    def _again(self, form: KeyForm) -> HttpResponse:
        return render(self.request, "accounts/key_new.html", {"form": form, **self.limits()}, status=422)


class KeyDetailPage(KeyPage):
    """One key: what it may do, how it was used, and how it ends."""

    def get(self, request: HttpRequest, key_id: uuid.UUID) -> HttpResponse:
        """The key, or 404."""
        key, now = _key(key_id), datetime.now(UTC)
        since, until = calls.span()
        (used,) = calls.calls_by_key(since, until, keys=[key])
        context = {
            "row": self.row(used, now), "key": key, "form": RotationForm(), "used": used, "columns": columns(used, since, until),
            "height": HEIGHT, "label_y": HEIGHT + 16, "replaces": key.replaces.first(), **self.limits(),
        }  # fmt: skip
        return render(request, "accounts/key_detail.html", context)


class KeyRotatePage(KeyPage):
    """A key's successor."""

    def post(self, request: HttpRequest, key_id: uuid.UUID) -> HttpResponse:
        """Makes the successor and shows it."""
        key, form = _key(key_id), RotationForm(request.POST)
        if not form.is_valid():
            raise ApiKeyRefused(fields={"overlap": _("Choose one of the times that the page offers.")})
        try:
            made = rotate_api_key(key_id=key.id, overlap=timedelta(seconds=form.cleaned_data["overlap"]), actor=self.actor)
        except ApiKeyUnknown:
            return self.to(key.id, _("Nothing was done: this key was rotated or revoked already."))
        return self.made(made)


class KeyRevokePage(KeyPage):
    """The end of a key."""

    def post(self, request: HttpRequest, key_id: uuid.UUID) -> HttpResponse:
        """Revokes it, and comes back."""
        key = _key(key_id)
        try:
            revoke_api_key(key_id=key.id, actor=self.actor)
        except ApiKeyUnknown:
            return self.to(key.id, _("Nothing was done: this key was revoked already."))
        return self.to(key.id, _("The key is revoked. Within a second no worker accepts it any more."))


def columns(used: KeyCalls, since: date, until: date) -> list[Column]:
    """One for each day."""
    days = [since + timedelta(days=place) for place in range((until - since).days + 1)]
    each = [used.on(day) for day in days]
    scale, step = (HEIGHT - TOP) / max(1, *(one.total for one in each)), 100 / len(days)
    found = []
    for place, (day, one) in enumerate(zip(days, each, strict=True)):
        tall, bad = one.answered * scale, (one.refused + one.failed) * scale
        found.append(
            Column(
                day, one, f"{place * step:.2f}%", f"{HEIGHT - tall:.1f}", f"{tall:.1f}", f"{HEIGHT - tall - bad:.1f}", f"{bad:.1f}",
                f"{(place + 0.4) * step:.2f}%", place % 7 == 3,
            )
        )  # fmt: skip
    return found


def _key(key_id: uuid.UUID) -> ApiKey:
    try:
        return selectors.api_key(key_id)
    except ApiKeyUnknown as error:
        raise Http404 from error
