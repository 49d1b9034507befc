"""Routes of the record, and the names that earlier systems gave them."""

from django.urls import path

from portal.record.api.files import BundleView, ExportView
from portal.record.api.views import CheckpointsView, ConsistencyView, EventsView, ProofView, SummaryView

_EXPORT = "/api/v1/audit/export"

urlpatterns = [
    path("audit/events", EventsView.as_view(), name="audit-events"),
    path("audit/events/<str:event_id>/proof", ProofView.as_view(), name="audit-proof"),
    path("audit/summary", SummaryView.as_view(), name="audit-summary"),
    path("audit/consistency", ConsistencyView.as_view(), name="audit-consistency"),
    path("audit/checkpoints", CheckpointsView.as_view(), name="audit-checkpoints"),
    path("audit/export", ExportView.as_view(), name="audit-export"),
    path("audit/bundle", BundleView.as_view(), name="audit-bundle"),
    path("audit/logs", EventsView.as_view(successor="/api/v1/audit/events"), name="earlier-audit-logs"),
    path("audit/export/csv", ExportView.as_view(successor=f"{_EXPORT}?format=csv", kind="csv"), name="earlier-audit-export-csv"),
    path("audit/export/json", ExportView.as_view(successor=f"{_EXPORT}?format=jsonl", kind="jsonl"), name="earlier-audit-export-json"),
]
