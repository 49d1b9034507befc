"""Pages about webhooks: the endpoints, one of them with its deliveries, and one delivery with its attempts."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from partners.accounts.roles import Permission
from partners.accounts.web.access import Page
from partners.webhooks import selectors, services
from partners.webhooks.errors import EndpointRefused
from partners.webhooks.models import Attempt, Delivery, Endpoint
from partners.webhooks.services import NewEndpoint
from partners.webhooks.web.forms import EndpointForm
from partners.webhooks.web.words import EVENTS, PAUSES, answered, is_good, state_words

OVERLAPS = {"0": timedelta(0), "24": timedelta(hours=24), "168": timedelta(days=7)}


def _row(delivery: Delivery, newest: Attempt | None) -> dict[str, Any]:
    return {
        "one": delivery, "newest": newest, "words": state_words(delivery), "answered": answered(newest) if newest else "",
        "is_good": bool(newest and is_good(newest)),
    }  # fmt: skip


def _here(endpoint: Endpoint) -> str:
    return reverse("webhooks:endpoint-detail", args=[endpoint.id])


class WebhookPage(Page):
    """A page for who manages webhooks."""

    permission = Permission.WEBHOOK_MANAGE


class EndpointListPage(WebhookPage):
    """Every endpoint, and how it fares."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The list."""
        rows = []
        for one in selectors.endpoints():
            newest = selectors.deliveries(one, limit=1).deliveries
            rows.append((one, newest[0].delivery if newest else None, PAUSES.get(one.paused_because, "")))
        return render(request, "webhooks/endpoint_list.html", {"rows": rows})


class EndpointFormPage(WebhookPage):
    """An endpoint to be: the form."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The empty form."""
        return self._form(request, EndpointForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        """The endpoint with its secret, which no other page shows again."""
        form = EndpointForm(request.POST)
        if form.is_valid():
            try:
                made = services.create_endpoint(**form.cleaned_data, actor=self.actor)
            except EndpointRefused as refusal:
                _tell(form, refusal)
            else:
                return _secret(request, made)
        return self._form(request, form, status=422)

    @staticmethod
    def _form(request: HttpRequest, form: EndpointForm, *, status: int = 200) -> HttpResponse:
        return render(request, "webhooks/endpoint_form.html", {"form": form}, status=status)


class EndpointChangePage(WebhookPage):
    """An endpoint that is to be different."""

    def get(self, request: HttpRequest, webhook_id: uuid.UUID) -> HttpResponse:
        """The form as the endpoint is."""
        one = selectors.endpoint(webhook_id)
        form = EndpointForm(initial={"url": one.url, "description": one.description, "event_types": one.event_types})
        return render(request, "webhooks/endpoint_form.html", {"form": form, "one": one})

    def post(self, request: HttpRequest, webhook_id: uuid.UUID) -> HttpResponse:
        """The endpoint is as asked for."""
        one, form = selectors.endpoint(webhook_id), EndpointForm(request.POST)
        if form.is_valid():
            try:
                services.change_endpoint(endpoint_id=one.id, actor=self.actor, **form.cleaned_data)
            except EndpointRefused as refusal:
                _tell(form, refusal)
            else:
                messages.success(request, _("The endpoint was changed; the next event goes there."))
                return HttpResponseRedirect(_here(one))
        return render(request, "webhooks/endpoint_form.html", {"form": form, "one": one}, status=422)


def _tell(form: EndpointForm, refusal: EndpointRefused) -> None:
    for name, fault in refusal.fields.items():
        form.add_error(name, fault)


def _secret(request: HttpRequest, made: NewEndpoint) -> HttpResponse:
    response = render(request, "webhooks/endpoint_secret.html", {"one": made.endpoint, "secret": made.secret}, status=201)
    response.headers["Cache-Control"] = "no-store"
    return response


class EndpointDetailPage(WebhookPage):
    """One endpoint: what it is told, what became of it, and what can be done with it."""

    def get(self, request: HttpRequest, webhook_id: uuid.UUID) -> HttpResponse:
        """The endpoint with its newest deliveries, or older ones."""
        return self._shown(request, selectors.endpoint(webhook_id))

    def post(self, request: HttpRequest, webhook_id: uuid.UUID) -> HttpResponse:
        """Does what the button says."""
        acts: dict[str, Callable[[HttpRequest, Endpoint], HttpResponse]] = {
            "test": self._test, "pause": self._pause, "resume": self._resume, "again": self._again, "rotate": self._rotate,
            "delete": self._delete,
        }  # fmt: skip
        act, one = acts.get(request.POST.get("act", "")), selectors.endpoint(webhook_id)
        if act is None:
            return self._shown(request, one, problem=_("Choose what to do with the endpoint."), status=422)
        try:
            return act(request, one)
        except EndpointRefused as refusal:
            return self._shown(request, one, problem=refusal.detail, status=422)

    def _shown(self, request: HttpRequest, one: Endpoint, *, problem: str = "", status: int = 200) -> HttpResponse:
        state = request.GET.get("state", "")
        try:
            before = uuid.UUID(request.GET["before"]) if "before" in request.GET else None
        except ValueError as error:
            raise BadRequest from error
        if state not in {"", *Delivery.State.values}:
            raise BadRequest
        page = selectors.deliveries(one, state=state, before=before)
        context = {
            "one": one, "events": [(each, EVENTS.get(each, each)) for each in one.event_types], "pause": PAUSES.get(one.paused_because, ""),
            "rows": [_row(told.delivery, told.newest) for told in page.deliveries], "next": page.next_before, "state": state,
            "is_first": before is None, "problem": problem, "has_two_secrets": len(services.secrets_of(one)) > 1,
        }  # fmt: skip
        return render(request, "webhooks/endpoint_detail.html", context, status=status)

    def _test(self, _request: HttpRequest, one: Endpoint) -> HttpResponse:
        sent = services.send_test(endpoint_id=one.id, actor=self.actor)
        return HttpResponseRedirect(reverse("webhooks:delivery-detail", args=[one.id, sent.id]))

    def _pause(self, request: HttpRequest, one: Endpoint) -> HttpResponse:
        services.change_endpoint(endpoint_id=one.id, is_active=False, actor=self.actor)
        messages.success(request, _("Paused. What happens meanwhile waits, three days at most."))
        return HttpResponseRedirect(_here(one))

    def _resume(self, request: HttpRequest, one: Endpoint) -> HttpResponse:
        services.change_endpoint(endpoint_id=one.id, is_active=True, actor=self.actor)
        messages.success(request, _("Resumed. What waited is sent now."))
        return HttpResponseRedirect(_here(one))

    def _again(self, request: HttpRequest, one: Endpoint) -> HttpResponse:
        number = services.resend_waiting(endpoint_id=one.id, actor=self.actor)
        said = ngettext("%(number)s event is sent now.", "%(number)s events are sent now.", number) % {"number": number}
        messages.success(request, said)
        return HttpResponseRedirect(_here(one))

    def _rotate(self, request: HttpRequest, one: Endpoint) -> HttpResponse:
        overlap = OVERLAPS.get(request.POST.get("overlap", ""), services.ROTATION_OVERLAP)
        return _secret(request, services.rotate_secret(endpoint_id=one.id, overlap=overlap, actor=self.actor))

    def _delete(self, request: HttpRequest, one: Endpoint) -> HttpResponse:
        services.delete_endpoint(endpoint_id=one.id, actor=self.actor)
        messages.success(request, _("The endpoint was deleted; nothing is sent there any more."))
        return HttpResponseRedirect(reverse("webhooks:endpoint-list"))


class DeliveryDetailPage(WebhookPage):
    """One delivery: what is sent, and what was answered each time."""

    def get(self, request: HttpRequest, webhook_id: uuid.UUID, delivery_id: uuid.UUID) -> HttpResponse:
        """The delivery."""
        return self._shown(request, webhook_id, delivery_id)

    def post(self, request: HttpRequest, webhook_id: uuid.UUID, delivery_id: uuid.UUID) -> HttpResponse:
        """Sends it again."""
        try:
            services.resend(endpoint_id=webhook_id, delivery_id=delivery_id, actor=self.actor)
        except EndpointRefused as refusal:
            return self._shown(request, webhook_id, delivery_id, problem=refusal.detail, status=422)
        return HttpResponseRedirect(reverse("webhooks:delivery-detail", args=[webhook_id, delivery_id]))

    @staticmethod
    def _shown(
        request: HttpRequest, webhook_id: uuid.UUID, delivery_id: uuid.UUID, *, problem: str = "", status: int = 200
    ) -> HttpResponse:
        endpoint = selectors.endpoint(webhook_id)
        one, attempts = selectors.delivery(endpoint, delivery_id)
        newest = attempts[0] if attempts else None
        is_waiting = one.state == Delivery.State.WAITING
        context = {
            **_row(one, newest), "endpoint": endpoint, "attempts": [(each, answered(each), is_good(each)) for each in attempts],
            "is_waiting": is_waiting, "problem": problem,
            "is_live": is_waiting and endpoint.is_active and (newest is None or newest.at < one.began_at),
        }  # fmt: skip
        return render(request, "webhooks/delivery_detail.html", context, status=status)
