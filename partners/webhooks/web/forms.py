"""The form about an endpoint."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from audit.topics import Topic
from partners.webhooks.web.words import EVENTS

_LONG = {"class": "form-control w-l", "autocomplete": "off"}


class _Marks(forms.CheckboxSelectMultiple):
    """Boxes to mark, which an error can point at as a whole."""

    def id_for_label(self, id_: str, index: str | None = None) -> str:
        return id_


class EndpointForm(forms.Form):
    """Where to tell of which events. What is wrong with them is the service's to say."""

    url = forms.CharField(
        label=_("URL"), strip=True, widget=forms.TextInput(attrs={**_LONG, "inputmode": "url", "spellcheck": "false"}),
        help_text=_("An https URL of a public host, such as https://hooks.example.com/vouch."),
    )
    description = forms.CharField(label=_("What it is"), required=False, widget=forms.TextInput(attrs=_LONG))
    event_types = forms.MultipleChoiceField(
        label=_("Events"), widget=_Marks, choices=[(str(one), EVENTS[one]) for one in Topic], required=False
    )
    optional = frozenset({"description"})

    def chosen(self) -> list[str]:
        """The events that are marked, however the form was filled."""
        return [str(one) for one in self["event_types"].value() or ()]

    def events(self) -> list[tuple[str, Any, bool]]:
        """Every kind of event, what it means, and whether it is marked."""
        marked = self.chosen()
        return [(str(one), EVENTS[one], str(one) in marked) for one in Topic]
