"""How the queues of background work stand, for people."""

from datetime import UTC, datetime, time

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy

from partners import queues
from partners.accounts.roles import Permission
from partners.accounts.web.access import Page
from partners.errors import QueuesAway
from scoring import selectors

TITLES = {
    "interactive": (gettext_lazy("Interactive"), gettext_lazy("What somebody waits for; it goes first.")),
    "bulk": (gettext_lazy("Bulk"), gettext_lazy("Tables and challengers; it makes room after each thousand rows.")),
}
KINDS = {
    "score_file": gettext_lazy("Tables to score"), "check_table": gettext_lazy("Tables to check"),
    "record_outcomes": gettext_lazy("Tables of outcomes"),
}  # fmt: skip


class QueueListPage(Page):
    """The queues, and the jobs behind them."""

    permission = Permission.KEY_MANAGE

    def get(self, request: HttpRequest) -> HttpResponse:
        """As they stand now."""
        since = queues.first_day()
        try:
            found = [(*TITLES.get(one.name, (one.name, "")), one) for one in queues.standings()]
        except QueuesAway:
            found = []
        jobs = [(KINDS.get(one.kind, one.kind), one) for one in selectors.job_counts(datetime.combine(since, time(), UTC))]
        return render(request, "scoring/queue_list.html", {"queues": found, "jobs": jobs, "since": since})
