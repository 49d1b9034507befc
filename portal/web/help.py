"""Help for the people who decide: one page per task in their language, and a practice that stores nothing."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy

from partners.accounts.web.access import Page
from portal.web.practice import CASES, MOVES, answer_to

# Each is a page in templates/help/<language>/; what a language lacks is shown in English.
TOPICS: Mapping[str, str | Promise] = {
    "decide": gettext_lazy("Decide an application"),
    "second-person": gettext_lazy("When a second person is needed"),
    "reasons": gettext_lazy("What the reasons mean"),
    "letters": gettext_lazy("Letters to applicants"),
    "batches": gettext_lazy("Many applicants at once"),
    "applicants": gettext_lazy("Find an applicant"),
    "keys": gettext_lazy("Work with the keyboard"),
}


@dataclass(frozen=True, slots=True)
class Topic:
    """One page of help."""

    slug: str
    title: str


class HelpListPage(Page):
    """What there is to read."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The list."""
        return render(request, "help/topic_list.html", {"topics": _topics()})


class HelpPage(Page):
    """One page of help."""

    def get(self, request: HttpRequest, topic: str) -> HttpResponse:
        """The page in the reader's language, or 404."""
        if topic not in TOPICS:
            raise Http404
        text, language = _text(topic)
        context = {"topics": _topics(), "topic": topic, "title": TOPICS[topic], "text": text, "language": language}
        return render(request, "help/topic_detail.html", context)


class PracticePage(Page):
    """Three invented applications to try decisions on. Nothing is sent anywhere: the address holds the answer, and nothing is stored."""

    def get(self, request: HttpRequest, case: int) -> HttpResponse:
        """The case; with an answer in the address also what would follow from it."""
        if not 1 <= case <= len(CASES):
            raise Http404
        choice = request.GET.get("decision", "")
        practised = CASES[case - 1]
        context = {
            "case": practised, "number": case, "count": len(CASES), "following": case + 1 if case < len(CASES) else None,
            "moves": MOVES, "choice": choice if choice in MOVES else "", "answer": answer_to(practised, choice),
        }  # fmt: skip
        return render(request, "help/practice.html", context)


def _topics() -> list[Topic]:
    return [Topic(slug, str(title)) for slug, title in TOPICS.items()]


def _text(topic: str) -> tuple[str, str]:
    """The template of the page and its language."""
    language = (get_language() or "en").partition("-")[0]
    name = f"help/{language}/{topic}.html"
    try:
        get_template(name)
    except TemplateDoesNotExist:
        return f"help/en/{topic}.html", "en"
    return name, language
