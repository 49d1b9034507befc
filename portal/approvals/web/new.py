"""A new application, entered by a person: the same service as the API's."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy

from portal.approvals.models import Application
from portal.approvals.services.applications import receive_application
from portal.approvals.web.forms import ApplicationForm
from scoring import registry
from scoring.engine.product import Product
from scoring.models import Channel
from scoring.web.asking import AskingPage


class ApplicationNewPage(AskingPage[ApplicationForm]):
    """Somebody asks for money."""

    route = "application-new"
    texts = {
        "heading": gettext_lazy("New application"), "button": gettext_lazy("Take the application in"),
        "after": gettext_lazy("It is scored at once, and approved, declined or put into the queue as the policy says."),
    }  # fmt: skip
    sent_before = gettext_lazy(
        "This form was sent before with other answers, and that application stands. Send it again for another one."
    )

    def form(self, product: Product, *told: Any) -> ApplicationForm:
        """With an amount in the partner's currency."""
        return ApplicationForm(product, *told, currency=str(self.request.partner.currency))  # type: ignore[attr-defined]

    def store(self, form: ApplicationForm, active: registry.Active) -> str | None:
        """Takes the application in."""
        asked = form.request_of(active.validator, active.definition.slug, self.language)
        if asked is None:
            return None
        answer = receive_application(
            asked=asked, actor=self.actor, channel=Channel.PORTAL, render=_number, attempt=self.attempt(form)
        )
        return reverse("approvals:application-detail", args=[answer.body.decode()])


def _number(made: Application) -> bytes:
    return made.number.encode()
